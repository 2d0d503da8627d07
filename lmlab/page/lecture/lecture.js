// Lecture mode: goes from scene to scene, sets the tab, presses its button, marks what to look at.
import { front, hold, isMade, release } from "../../parts/web/opening.js";
import * as staged from "./staged.js";
import { ask, veil } from "./guess.js";
import { desk } from "./desk.js";
import { actOf, help, listen } from "./keys.js";
import { agree, listed, own, storedResult } from "./list.js";
import { running } from "./running.js";
import { button, el, onHere, onTold, partsOf, put, tell } from "../../parts/web/dom.js";
import { copyText, notice, saveAs } from "../../parts/web/files.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, trigger }) {
  const bar = element.querySelector(".lm-lecture"), page = document.documentElement, shown = new Set();
  const part = partsOf(bar, ".lm-", "back", "list", "count", "larger", "full", "help", "leave", "forward", "point", "ask", "look", "stored", "scenes", "inputs");
  const { tabs: TABS, first: FIRST, scenes: COURSE } = JSON.parse(props.value);
  let scenes = COURSE, here = -1, alone = false, lacks = "";
  let began = 0, entered = 0; // milliseconds since 1970: the lecture, the scene

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
    question();
    looks();
  }

  function question() {
    ask(part.ask, current(), shown, turn, told);
    turned();
  }

  function turn() {
    const { name } = current();
    if (!shown.delete(name)) shown.add(name);
    question();
  }

  // Until a question is answered the bar says what the scene is about; then what is to be seen.
  function turned() {
    const scene = current(), known = scene.ask && shown.has(scene.name);
    const said = known && staged.isOn() ? scene.ask.answer : scene.point;
    part.point.textContent = lacks ? `${lacks} ${said}` : said;
    stored(scene);
    told();
    tell("scene", window.lmlab.scene = { scene, own: !COURSE.includes(scene), shown: Boolean(known) });
  }

  // What runs belongs to its scene.
  const runs = running(element, named, ready);
  const halt = () => runs.halt(scenes[here]);

  function go(i) {
    if (!(i >= 0 && i < scenes.length)) return;
    if (i !== here || !on()) entered = Date.now();
    began ||= entered;
    if (i !== here) halt();
    page.classList.remove("lm-blank");
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
    page.classList.remove("lm-blank");
    if (document.fullscreenElement) document.exitFullscreen();
  }

  const idOf = (tab) => Object.keys(TABS).find((key) => TABS[key] === tab);
  let waiting = null; // what a tab is to be filled with once it is made

  // Asks for a tab to be filled in; one that was never open has to be made first.
  function fill(tab, mail) {
    const id = idOf(tab);
    waiting = null;
    runs.drop();
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

  // What is to be looked at comes into view, below the bar; where nothing can run, what is stored.
  function ready(idle = false) {
    bar.dataset.state = "ready";
    if (idle && on() && here >= 0) { alone = true; stored(current()); }
    const first = on() && here >= 0 && current().look[0] && target(current().look[0]);
    if (!first || staged.isOn()) return;
    first.style.scrollMarginBlock = bar.offsetHeight + 24 + "px 16px";
    first.scrollIntoView({ block: "nearest" });
  }

  const wants = element.querySelector(".lm-wants");

  function filled(mail) {
    if (on() && mail.name && mail.name !== current().name) return; // an earlier scene's
    if (on() && mail.name) {
      scrollTo({ top: 0 });
      trigger("ahead", { name: mail.name });
    }
    agree(wants, mail, fill);
    lacks = mail.lacks || "";
    if (on() && here >= 0) turned();
    bar.dataset.state = "pressing";
    front(idOf(mail.tab));
    release(idOf(mail.tab));
    if (mail.run) runs.want(mail.name, mail.tab, mail.run);
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

  function jump() {
    toggleList(true);
    part.scenes.querySelector("input").focus();
  }

  function blank() {
    page.classList.toggle("lm-blank");
    told();
  }

  const again = () => { const { name, tab, run } = current(); if (run) runs.again(name, tab, run); };
  // Where there is something to show it is shown, else it goes on.
  const space = () => (current().ask && !shown.has(current().name) ? turn() : go(here + 1));
  const forward = () => go(here + 1), back = () => go(here - 1);
  const inputs = () => staged.turn(!staged.isOn());
  const buttons = { forward, back, leave, full, larger, inputs, list: () => toggleList(part.scenes.hidden), help: () => help(bar) };
  Object.entries(buttons).forEach(([name, act]) => { part[name].onclick = act; });

  const acts = {
    pagedown: forward, pageup: back, arrowright: forward, arrowleft: back, home: () => go(0), space, g: jump, r: again, b: blank,
    s: () => presenter.open(), f: full, l: larger, d: () => { document.querySelector(".lm-theme").click(); told(); }, i: inputs, help: buttons.help,
  };
  listen(acts, on);

  // --- the presenter's window ------------------------------------------------------------------------

  const presenter = desk({ told: state, press: (key) => { if (on()) actOf(acts, key)?.(); }, jump: (name) => ACTIONS.open({ name }), resume });

  function told() { presenter.tell(); }

  function state() {
    if (!on() || here < 0) return null;
    return {
      scene: current(), here, scenes: scenes.map(({ name, title, minutes }) => ({ name, title, minutes })), began, entered, shown: [...shown],
      guesses: window.lmlab.guesses, isBlank: page.classList.contains("lm-blank"), isDark: document.body.classList.contains("dark"),
    };
  }

  // As the presenter's window knows it from before this page was loaded anew.
  function resume(known) {
    known.shown.forEach((name) => shown.add(name));
    Object.assign(window.lmlab.guesses, known.guesses);
    began = known.began;
    ACTIONS.open({ name: known.scene.name });
    entered = known.entered;
    told();
  }

  page.dataset.lmLecture = "ready";
  tell("lecture-ready", {});

  const asked = new URLSearchParams(location.search);
  for (const name of [...asked.keys()]) if (name.startsWith("__")) asked.delete(name);
  const query = asked.toString(), name = asked.get("scene"), tab = asked.get("tab");
  const i = name == null ? -1 : scenes.findIndex((scene) => !name || scene.name === name);
  presenter.again(); // before this one is told
  if (i >= 0) go(i);
  else if (name == null && Object.values(TABS).includes(tab)) fill(tab, { query });
  else if (name != null || tab != null) trigger("lost", { query });
}
