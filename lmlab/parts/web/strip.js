// The token strip: draws a payload, shows cards, pins tokens.
import { KEY } from "../../made.js";
import { alternatives, drawCard, drawPinned } from "./card.js";
import { el, onTold, put, tell } from "./dom.js";
import { choicesOf, flowHeading, read } from "./flow.js";
import { count, label } from "./format.js";
import { level, measureOf, ownOf, valueOf } from "./measures.js";
import { firstStrong, given, lowered, token } from "./strip-tokens.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const FIRST = props.colour_by || "surprisal", group = props.group;
  const PAGE = 40; // tokens whose alternatives are asked for at once
  const $ = (selector) => element.querySelector(selector);
  const card = $(".lm-card");
  let data = null, spans = []; // of each run
  let measure = FIRST, before = null; // before: what was chosen until a comparison came
  let cursor = null, pin = null; // {run, i}
  let walking = false; // whether the keyboard moved the cursor last
  let pages = new Map(), asked = new Set(), timer = 0;

  // --- drawing -------------------------------------------------------------------------------------

  let drawn = ""; // what is on the page, as it came

  function draw() {
    const text = props.value || "", grown = data && data.flow && text.startsWith(drawn);
    drawn = text;
    if (grown) return grow(read(text));
    const old = data, kept = pin;
    data = read(text);
    cursor = pin = null;
    pages = new Map();
    asked = new Set();
    hideCard();
    $(".lm-empty").hidden = !!data;
    $(".lm-tools").hidden = !data;
    $(".lm-notes").replaceChildren(...(data ? data.notes.map((n) => el("p", "", n)) : []));
    drawPinned($(".lm-pinned"), data, null);
    const shown = !data ? [] : data.same ? [0] : data.runs.map((_, run) => run);
    spans = [];
    $(".lm-runs").replaceChildren(...shown.map(drawRun));
    if (data) chooseMeasure(old);
    window.lmlab.shown[group] = data;
    tell("shown", { group, data });
    // The same text again, for instance with another α: what was pinned stays pinned.
    if (kept && data && sameText(old, data)) setPin(kept);
  }

  function spokenName(r) {
    return `${count(r.texts.length)} tokens ${data.flow ? "written" : "scored"} by ${r.model}. Arrow keys walk, Enter pins.`;
  }

  function sameText(one, other) {
    return !one.flow && !other.flow && one.runs.length === other.runs.length
      && one.runs.every((r, i) => r.texts.length === other.runs[i].texts.length && r.texts.every((t, j) => t === other.runs[i].texts[j]));
  }

  // A completion that went on: only its new tokens are drawn.
  function grow(longer) {
    const run = longer.runs[0], have = spans[0].length, box = $(".lm-toks");
    const end = box.scrollTop + box.clientHeight > box.scrollHeight - 30;
    data = longer;
    const made = run.texts.slice(have).map((text, i) => token(text, have + i, false));
    spans[0].push(...made);
    box.append(...made);
    box.setAttribute("aria-label", spokenName(run));
    box.classList.toggle("bare", !spans[0].length);
    box.previousElementSibling?.replaceWith(heading(0));
    if (end) box.scrollTop = box.scrollHeight;
    colour();
    window.lmlab.shown[group] = data;
  }

  function drawRun(run) {
    const r = data.runs[run], made = r.texts.map((text, i) => token(text, i, r.logprob[i] == null));
    spans[run] = made;
    const box = put(el("div", "lm-toks" + (data.flow && !made.length ? " bare" : ""), ...given(r, data.flow), ...made), {
      tabIndex: 0, role: "application", "aria-roledescription": "token strip", "aria-label": spokenName(r), dir: firstStrong(r.prefix + r.texts.join("")),
    });
    box.dataset.run = run;
    listen(box, run);
    return el("section", "lm-run", data.runs.length > 1 || data.headed ? heading(run) : null, box);
  }

  function heading(run) {
    if (data.flow) return flowHeading(data.runs[0]);
    const shown = data.same ? data.runs : [data.runs[run]];
    const facts = shown.filter((r) => r.bpb != null).map((r) => (data.same ? r.model + ": " : "") + r.bpb.toFixed(3) + " bits per byte");
    if (!data.same) facts.push(count(shown[0].texts.length) + " tokens");
    return el("div", "lm-runhead", el("b", "", shown.map((r) => r.model).join("  −  ")), ...facts.map((text) => el("span", "", text)));
  }

  // --- alternatives --------------------------------------------------------------------------------

  function look(run, i) {
    if (data.flow) return choicesOf(data.runs[0], i);
    if (data.pieces) return [];
    const tops = data.runs[run].tops;
    if (tops) return alternatives(tops, tops.rows[i]);
    const low = Math.floor(i / PAGE) * PAGE, page = pages.get(run + ":" + low);
    return page ? alternatives(page, page.rows[i - low]) : (ask(run, low), null);
  }

  function ask(run, low) {
    const name = run + ":" + low;
    if (asked.has(name)) return;
    asked.add(name);
    setTimeout(() => trigger("need", { run, low }), 0);
  }

  function arrived(text) {
    const page = read(text);
    if (!page || !data || page.name !== data.name) return;
    pages.set(page.run + ":" + page.low, page);
    redrawCard();
    if (pin) drawPin();
  }

  // --- cursor, card, pin ---------------------------------------------------------------------------

  function mark(place, name) {
    for (const old of element.querySelectorAll("." + name)) old.classList.remove(name);
    if (place) spans[place.run]?.[place.i]?.classList.add(name);
  }

  function go(run, i, from) {
    if (!data || !spans[run]?.[i]) return;
    cursor = { run, i };
    mark(cursor, "on");
    clearTimeout(timer);
    // A pointer that sweeps over a long text should not ask for every page on its way.
    if (from === "pointer" && !data.runs[run].tops) timer = setTimeout(() => showCard(run, i), 90);
    else showCard(run, i);
    walking = from === "keys";
    if (from !== "plot" && from !== "table") tell("token", { group, run, i, from });
    if (from === "keys") $(".lm-live").textContent = spoken(run, i);
  }

  function spoken(run, i) {
    const value = valueOf(data.runs, run, i, "surprisal"), name = label(data.runs[run].texts[i]);
    return value == null ? `token ${i + 1}, ${name}, not scored`
      : `token ${i + 1}, ${name}, ${value.toFixed(1)} bits` + (data.runs[run].rank ? `, rank ${data.runs[run].rank[i]}` : "");
  }

  function redrawCard() {
    if (cursor && card.classList.contains("show")) drawCard(card, data, cursor.run, cursor.i, look);
  }

  function showCard(run, i) {
    const span = spans[run][i];
    drawCard(card, data, run, i, look);
    card.classList.add("show");
    const at = span.getClientRects()[0] || span.getBoundingClientRect(), root = element.getBoundingClientRect();
    const below = at.bottom + card.offsetHeight + 16 < innerHeight || at.top < card.offsetHeight + 16;
    card.style.left = Math.max(0, Math.min(at.left - root.left, root.width - card.offsetWidth)) + "px";
    card.style.top = (below ? at.bottom - root.top + 8 : at.top - root.top - card.offsetHeight - 8) + "px";
  }

  function hideCard() {
    clearTimeout(timer);
    card.classList.remove("show");
    mark(null, "on");
  }

  function setPin(place) {
    pin = pin && place && pin.run === place.run && pin.i === place.i ? null : place;
    mark(pin, "pin");
    drawPin();
  }

  function drawPin() {
    const fork = data && data.forks ? (which) => trigger("fork", { i: pin.i, which, name: data.name }) : null;
    drawPinned($(".lm-pinned"), data, pin, look, () => { setPin(null); $(".lm-toks").focus(); }, fork);
  }

  // The token on the next or last line that is nearest to this one.
  function line(run, i, step) {
    const made = spans[run], here = made[i].getBoundingClientRect();
    let best = i, gap = Infinity, row = null;
    for (let j = i + step; j >= 0 && j < made.length; j += step) {
      const there = made[j].getClientRects()[0];
      if (!there || Math.abs(there.top - here.top) < 8) continue;
      if (row == null) row = there.top;
      if (Math.abs(there.top - row) > 8) break;
      if (Math.abs(there.left - here.left) < gap) { gap = Math.abs(there.left - here.left); best = j; }
    }
    return best;
  }

  function onKey(event, run) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = spans[run].length - 1, at = cursor && cursor.run === run ? cursor.i : -1;
    const sign = event.currentTarget.dir === "rtl" ? -1 : 1;
    const moves = {
      ArrowRight: () => at + sign, ArrowLeft: () => (at < 0 ? 0 : at - sign), Home: () => 0, End: () => last,
      ArrowDown: () => (at < 0 ? 0 : line(run, at, 1)), ArrowUp: () => (at < 0 ? 0 : line(run, at, -1)),
    };
    if (event.key === "Enter" || event.key === " ") setPin({ run, i: Math.max(0, at) });
    else if (event.key === "Escape") { setPin(null); hideCard(); }
    else if (moves[event.key]) {
      const i = Math.max(0, Math.min(last, moves[event.key]()));
      spans[run][i].scrollIntoView({ block: "nearest" });
      go(run, i, "keys");
    } else return;
    event.preventDefault();
  }

  function listen(box, run) {
    const under = (event) => event.target.closest(".lm-tok");
    box.addEventListener("pointerover", (e) => { const s = under(e); if (s && e.pointerType !== "touch") go(run, +s.dataset.i, "pointer"); });
    box.addEventListener("pointerleave", () => { hideCard(); tell("token", { group, i: -1 }); });
    box.addEventListener("click", (e) => { const s = under(e); if (s) { setPin({ run, i: +s.dataset.i }); cursor = { run, i: +s.dataset.i }; } });
    box.addEventListener("keydown", (e) => onKey(e, run));
    box.addEventListener("blur", hideCard);
    box.addEventListener("scroll", () => { if (walking && cursor) showCard(cursor.run, cursor.i); else hideCard(); });
  }

  onTold(element, "token", (told) => {
    if (told.group !== group || !data || (told.from !== "plot" && told.from !== "table")) return;
    if (told.i < 0) return hideCard();
    if (told.pin) return setPin({ run: 0, i: told.i });
    const span = spans[0]?.[told.i], box = span?.parentElement;
    if (!span) return;
    if (span.offsetTop < box.scrollTop || span.offsetTop + span.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = span.offsetTop - box.clientHeight / 2;
    }
    cursor = { run: 0, i: told.i };
    mark(cursor, "on");
  });

  onTold(element, "tops", (told) => { if (told.group === group) arrived(told.text); });

  // --- colours -------------------------------------------------------------------------------------

  // The comparison's own measure when two models come, or others that are compared by other pieces;
  // what was chosen before when one goes.
  function chooseMeasure(old) {
    const own = ownOf(data), pair = measureOf(measure).pair;
    if (data.same && !pair) before = measure;
    if (data.same && (!pair || own !== ownOf(old))) measure = own;
    if (!data.same && measureOf(measure).pair) measure = before || FIRST;
    if (!data.measures.includes(measure)) measure = data.same ? own : FIRST;
    for (const box of element.querySelectorAll(".lm-measures label")) {
      box.hidden = !data.measures.includes(box.firstChild.value);
      box.firstChild.checked = box.firstChild.value === measure;
    }
    colour();
  }

  function colour() {
    const letter = measureOf(measure).diverging ? "d" : "b";
    spans.forEach((made, run) => made.forEach((span, i) => {
      const value = valueOf(data.runs, run, i, measure);
      const bin = value == null ? "" : letter + level(value, measure);
      if (span.bin === bin) return;
      if (span.bin) span.classList.remove(span.bin);
      if (bin) span.classList.add(bin);
      span.bin = bin;
    }));
    legend(letter);
  }

  function legend(letter) {
    const m = measureOf(measure), formula = m.pair && m.diverging ? "positive: the first model is more surprised" : m.formula;
    const unscored = data.runs.some((r) => r.logprob[0] === null) ? [el("i", "lm-tok none", "not scored")] : [];
    $(".lm-legend").replaceChildren(lowered(formula), el("span", "lm-cells", ...m.labels.map((text, n) => el("i", letter + n, text))),
      el("span", "", m.unit), ...unscored);
  }

  function choice(m) {
    const onchange = () => {
      measure = m.key;
      if (!m.pair) before = m.key;
      if (data) colour();
      tell("measure", { group, key: m.key });
    };
    const input = put(el("input"), { type: "radio", name: group + "-measure", value: m.key, onchange });
    return put(el("label", m.key, input, el("span", "", m.label)), { title: m.about });
  }

  // --- for the time machine ------------------------------------------------------------------------

  // Shows another model's view of the same text without drawing the text anew.
  function turnTo(run) {
    if (!data || !data.runs.length) return;
    data.runs[0] = run;
    colour();
    if (pin) slide($(".lm-pinned"), drawPin);
    redrawCard();
    tell("shown", { group, data });
  }

  // Has the bars of a distribution move from where they were to where they are now drawn.
  function slide(panel, redraw) {
    const time = { duration: 320, easing: "ease-out" };
    const now = () => [...panel.querySelectorAll(".lm-bar")].map((row) => ({
      row, bar: row.querySelector("i"), width: row.querySelector("i").style.width,
      name: row.querySelector("b").textContent + (row.classList.contains("rest") ? "\0" : ""),
      top: row.getBoundingClientRect().top - panel.getBoundingClientRect().top,
    }));
    const places = new Map(now().map((one) => [one.name, one]));
    redraw();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const { row, bar, width, name, top } of now()) {
      const old = places.get(name);
      if (!old) { row.animate([{ opacity: 0 }, { opacity: 1 }], time); continue; }
      row.animate([{ transform: `translateY(${old.top - top}px)` }, { transform: "none" }], time);
      bar.animate([{ width: old.width }, { width }], time);
    }
  }

  function pinAt(i) {
    if (!pin && spans[0]?.[i]) setPin({ run: 0, i });
  }

  $(".lm-measures").append(...KEY.measures.map(choice));
  draw();
  watch("value", draw);
  return { turnTo, pinAt };
}
