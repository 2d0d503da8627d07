// Lecture mode: goes from scene to scene, sets the tab, presses its button, marks what to look at.
import { front, hold, isMade, release } from "../../parts/web/opening.js";
import * as staged from "./staged.js";
import { ask, veil } from "./guess.js";
import { listed, own, storedResult } from "./list.js";
import { button, el, onHere, onTold, onTurn, partsOf, put, tell } from "../../parts/web/dom.js";
import { copyText, notice, saveAs } from "../../parts/web/files.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, trigger }) {
  const bar = element.querySelector(".lm-lecture"), page = document.documentElement, shown = new Set();
  const part = partsOf(bar, ".lm-", "back", "list", "count", "larger", "full", "leave", "forward", "point", "ask", "look", "stored", "scenes", "inputs");
  const { tabs: TABS, first: FIRST, scenes: COURSE } = JSON.parse(props.value);
  let scenes = COURSE, here = -1, alone = false, lacks = "";

  const current = () => scenes[here];
  const on = () => !bar.hidden;

  // --- what is looked at ---------------------------------------------------------------------------

  const named = (tab, name) => document.getElementById(tab + "-" + name) || document.getElementById(name);
  const target = (look) => named(current().tab, look.at);

  function unmark() {
    for (const node of document.querySelectorAll("[data-lm-mark]")) ["lm-mark", "lm-say"].forEach((name) => node.removeAttribute("data-" + name));
  }

  // Gradio draws its components anew: whenever one of those that are looked at is, it is marked.
  function watch() {
    const ids = current().look.map(({ at }) => `#${CSS.escape(current().tab + "-" + at)}, #${CSS.escape(at)}`);
    const sheet = document.getElementById("lm-looked") || document.head.appendChild(put(el("style"), { id: "lm-looked" }));
    sheet.textContent = ids.length ? `:is(${ids.join()}) { animation: lm-here 1ms !important; }` : "";
    mark();
  }

  function mark() {
    if (!on() || here < 0) return;
    current().look.forEach((look, i) => {
      const node = target(look), number = String(i + 1);
      if (node && node.dataset.lmMark !== number) Object.assign(node.dataset, { lmMark: number, lmSay: look.say });
    });
    staged.show(current().look.map(target).filter(Boolean));
  }

  function looks() {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    part.look.replaceChildren(...current().look.map((look) =>
      el("li", "", button("", look.say, () => target(look)?.scrollIntoView({ block: "center", behavior })))));
  }

  onHere(mark);

  // It would answer the question.
  function stored(scene) {
    part.stored.hidden = !scene.stored || Boolean(scene.ask && !shown.has(scene.name));
    if (scene.stored) part.stored.replaceChildren(storedResult(scene.stored, alone, !alone && !lacks));
  }

  // --- going ---------------------------------------------------------------------------------------

  function draw() {
    const scene = current();
    bar.querySelector("h2").textContent = scene.title;
    part.count.textContent = `${here + 1} / ${scenes.length}`;
    staged.tellInputs(part.inputs, scene.said);
    part.back.disabled = here === 0;
    part.forward.disabled = here === scenes.length - 1;
    ask(part.ask, scene, shown, turned);
    looks();
    turned();
  }

  // Until a question is answered the bar says what the scene is about; then what is to be seen.
  function turned() {
    const scene = current(), known = scene.ask && shown.has(scene.name);
    const said = known && staged.isOn() ? scene.ask.answer : scene.point;
    part.point.textContent = lacks ? `${lacks} ${said}` : said;
    stored(scene);
    tell("scene", window.lmlab.scene = { scene, own: !COURSE.includes(scene), shown: Boolean(known) });
  }

  const stopOf = (tab, run) => named(tab, run.replace(/[^-]*$/, "stop"));

  // What runs belongs to its scene: the next one finds the machine free, and what was learned is kept.
  function halt() {
    const scene = here >= 0 && current(), stop = scene && scene.run && stopOf(scene.tab, scene.run);
    if (stop && !stop.disabled) stop.click();
  }

  function go(i) {
    if (i < 0 || i >= scenes.length) return;
    if (i !== here) halt();
    wants.hidden = true;
    here = i;
    alone = false;
    lacks = "";
    bar.hidden = false;
    page.classList.add("lm-lecturing");
    toggleList(false);
    staged.end();
    unmark();
    draw();
    watch();
    try { sessionStorage.setItem("lmlab-scene", String(here)); } catch { /* private window */ }
    bar.dataset.state = "filling";
    fill(current().tab, { name: current().name });
  }

  function leave() {
    halt();
    bar.hidden = true;
    page.classList.remove("lm-lecturing");
    staged.end();
    unmark();
    veil("", [], false);
    if (document.fullscreenElement) document.exitFullscreen();
  }

  const idOf = (tab) => Object.keys(TABS).find((key) => TABS[key] === tab);
  let waiting = null; // what a tab is to be filled with once it is made
  let wish = null; // {tab, run} that is still to be pressed then

  // Asks for a tab to be filled in; one that was never open has to be made first.
  function fill(tab, mail) {
    const id = idOf(tab);
    waiting = wish = null;
    if (id === FIRST || isMade(id)) return trigger("fill_" + tab, mail);
    waiting = { tab, mail };
    hold(id);
    if (window.lmlab.ready) front(id);
  }

  onTold(element, "ready", () => { if (waiting) front(idOf(waiting.tab)); });
  onTold(element, "made", ({ tab, awaited }) => {
    if (waiting && idOf(waiting.tab) === tab) fill(waiting.tab, waiting.mail);
    else if (!awaited) release(tab);
  });

  // On the Prompt tab the prompt is drawn anew after the filling, and a run that began before would be
  // drawn over: so it waits until the prompt has changed, though not for long.
  // And Gradio needs a moment to draw what is filled in.
  const DRAWN = 60, QUIET = 120, LONGEST = 800, MOUNTING = 2400, PATIENCE = 9600; // milliseconds
  let since = 0, changed = 0;
  onTold(element, "preview", () => { changed = performance.now(); setTimeout(press, QUIET + 1); });

  function settled(tab) {
    const now = performance.now();
    return tab !== "prompt" || now - since > LONGEST || (changed > since && now - changed > QUIET);
  }

  // The tab is filled in: once its button can be pressed, press it; a run under way is stopped first.
  onTurn(press);

  function press() {
    if (!wish || performance.now() - since < DRAWN) return;
    const { tab, run } = wish, pressed = named(tab, run), stop = stopOf(tab, run);
    const runs = stop && !stop.disabled;
    if (!pressed || pressed.disabled || pressed.offsetParent === null && !pressed.classList.contains("lm-none")) return;
    if (runs && stop.offsetParent !== null) return stop.click();
    if (!settled(tab) && !runs) return;
    wish = null;
    pressed.click();
    ready();
  }

  // Where it cannot be pressed for so long, or is not there at all, nothing runs.
  function want(tab, run) {
    const mine = wish = { tab, run };
    const late = (only) => { press(); if (wish === mine && only()) { wish = null; ready(true); } };
    setTimeout(press, DRAWN + 1);
    setTimeout(press, LONGEST + 1);
    setTimeout(late, MOUNTING, () => !named(tab, run));
    setTimeout(late, PATIENCE, () => true);
  }

  // What is to be looked at comes into view, below the bar; where nothing can run, what is stored.
  function ready(idle = false) {
    bar.dataset.state = "ready";
    if (idle && on() && here >= 0) { alone = true; stored(current()); }
    const first = on() && here >= 0 && current().look[0] && target(current().look[0]);
    if (!first || staged.isOn()) return;
    first.style.scrollMarginBlock = bar.offsetHeight + 24 + "px 16px";
    first.scrollIntoView({ block: "nearest" });
  }

  // A link names a model that is not here: it is had only once somebody has read that and agreed.
  const wants = element.querySelector(".lm-wants");
  function agree(mail) {
    wants.hidden = !mail.wants;
    if (!mail.wants) return;
    const load = () => {
      wants.hidden = true;
      fill(mail.tab, { name: mail.name, query: mail.query, agreed: true });
    };
    wants.replaceChildren(el("p", "", `This ${mail.query ? "link" : "scene"} asks for ${mail.wants}. `
      + "All else is filled in; nothing is loaded and nothing runs before you say so."),
    button("", "Load it", load), button("", "Leave it", () => { wants.hidden = true; }));
  }

  function filled(mail) {
    if (on() && mail.name && mail.name !== current().name) return; // an earlier scene's
    if (on() && mail.name) {
      scrollTo({ top: 0 });
      trigger("ahead", { name: mail.name });
    }
    agree(mail);
    lacks = mail.lacks || "";
    if (on() && here >= 0) turned();
    bar.dataset.state = "pressing";
    front(idOf(mail.tab));
    release(idOf(mail.tab));
    since = performance.now();
    if (mail.run) want(mail.tab, mail.run);
    else ready();
  }

  // --- list, links, own scenes ---------------------------------------------------------------------

  function toggleList(open) {
    part.scenes.hidden = !open;
    part.list.setAttribute("aria-expanded", open);
    if (!open) return;
    const keep = (title, point) => asTold("scene", { title, point });
    part.scenes.replaceChildren(...listed(scenes, here, go), own((files) => trigger("bring", { files }), keep));
  }

  function asTold(kind, more = {}) {
    const button = document.querySelector('.tab-container [role="tab"][aria-selected="true"]');
    const tab = TABS[button?.dataset.tabId];
    if (tab) trigger("tell_" + tab, { kind, ...more });
    else notice("This tab has nothing that a link could carry.");
  }

  async function copy(text) {
    try {
      await copyText(text);
      notice("Link copied: it opens this tab as it is now, uploads apart.");
    } catch { prompt("This link opens the tab as it is now:", text); }
  }

  function start() {
    const last = Number(sessionStorage.getItem("lmlab-scene")) || 0;
    go(Math.min(here < 0 ? last : here, scenes.length - 1));
  }

  const ACTIONS = {
    start: () => (on() ? leave() : start()),
    ask: () => asTold("link"),
    open: ({ name }) => go(scenes.findIndex((scene) => scene.name === name)),
    filled,
    refused: ({ tab }) => { release(tab); ready(true); },
    copy: ({ query }) => copy(location.origin + location.pathname + "?" + query),
    file: ({ text }) => { saveAs([text], "application/yaml", "scene.yaml"); notice("Saved as scene.yaml."); },
    scenes: (mail) => {
      scenes = [...COURSE, ...mail.scenes];
      ACTIONS.open(mail);
    },
  };
  onTold(element, "lecture", (mail) => ACTIONS[mail.action]?.(mail));

  // --- buttons and keys ----------------------------------------------------------------------------

  function full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.();
  }

  function larger() {
    document.querySelector(".lm-projector").click();
    part.larger.setAttribute("aria-pressed", page.classList.contains("projector"));
  }

  part.back.onclick = () => go(here - 1);
  part.forward.onclick = () => go(here + 1);
  part.list.onclick = () => toggleList(part.scenes.hidden);
  part.inputs.onclick = () => staged.turn(!staged.isOn());
  Object.entries({ leave, full, larger }).forEach(([name, act]) => { part[name].onclick = act; });

  const KEYS = {
    PageDown: () => go(here + 1), PageUp: () => go(here - 1), ArrowRight: () => go(here + 1),
    ArrowLeft: () => go(here - 1), Home: () => go(0), f: full, l: larger, i: () => part.inputs.click(), d: () => document.querySelector(".lm-theme").click(),
  };
  // Arrows belong to whatever has the focus and uses them; a presenter's keys, Page Up and Down, never do.
  const free = (node) => !node || node === document.body || node.closest(".lm-lecture, #lm-header, .tab-container");
  document.addEventListener("keydown", (event) => {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || !on() || event.ctrlKey || event.metaKey || event.altKey) return;
    const node = event.target, typing = node.closest?.("input, textarea, select, [contenteditable=true]");
    if (typing || (!event.key.startsWith("Page") && !free(node))) return;
    event.preventDefault();
    act();
  });

  page.dataset.lmLecture = "ready";
  tell("lecture-ready", {});

  const asked = new URLSearchParams(location.search);
  for (const name of [...asked.keys()]) if (name.startsWith("__")) asked.delete(name);
  const query = asked.toString(), name = asked.get("scene"), tab = asked.get("tab");
  const i = name == null ? -1 : scenes.findIndex((scene) => !name || scene.name === name);
  if (i >= 0) go(i);
  else if (name == null && Object.values(TABS).includes(tab)) fill(tab, { query });
  else if (name != null || tab != null) trigger("lost", { query });
}
