// The token strip: draws a payload, shows cards, pins tokens. Needs common.js, card.js, choices.js,
// flow.js and strip-colours.js before it, and Gradio's `element`, `props`, `watch` and `trigger`.
const $ = (selector) => element.querySelector(selector);
const group = props.group;
const PAGE = 40; // tokens whose alternatives are asked for at once
let data = null;
let spans = []; // of each run
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
  if (data) chooseMeasure();
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
  const r = data.runs[run], part = el("section", "lm-run");
  if (data.runs.length > 1 || data.headed) part.append(heading(run));
  const box = el("div", "lm-toks");
  box.tabIndex = 0;
  box.dataset.run = run;
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", "token strip");
  box.setAttribute("aria-label", spokenName(r));
  box.dir = firstStrong(r.prefix + r.texts.join(""));
  const made = r.texts.map((text, i) => token(text, i, r.logprob[i] == null));
  if (data.flow && !made.length) box.classList.add("bare");
  spans[run] = made;
  box.append(...given(r), ...made);
  listen(box, run);
  part.append(box);
  return part;
}

function heading(run) {
  if (data.flow) return flowHeading(data.runs[0]);
  const head = el("div", "lm-runhead"), names = data.same ? data.runs : [data.runs[run]];
  head.append(el("b", "", names.map((r) => r.model).join("  −  ")));
  for (const r of names) {
    if (r.bpb != null) head.append(el("span", "", (data.same ? r.model + ": " : "") + r.bpb.toFixed(3) + " bits per byte"));
  }
  if (!data.same) head.append(el("span", "", count(names[0].texts.length) + " tokens"));
  return head;
}

// What was conditioned on: start tokens and the end of the prefix.
function given(r) {
  const parts = r.context.map((text) => {
    const chip = el("span", "lm-start", visible(text));
    chip.title = "stands before the text";
    return chip;
  });
  if (r.prefix) {
    const prefix = el("span", "lm-prefix", (r.cut ? "… " : "") + visible(r.prefix).replace(/⏎/g, "⏎\n"));
    prefix.title = data.flow ? "the prompt" : "prefix: given, not scored";
    parts.push(prefix);
  }
  return parts;
}

function token(text, i, none) {
  let shown = visible(text), kind = "lm-tok";
  if (text.includes("\n")) {
    kind += " line";
    shown = shown.replace(/⏎/g, "⏎\n");
  }
  if (/^ +$|  /.test(text)) shown = shown.replace(/ /g, "·");
  else if (text[0] === " ") kind += " sp";
  if (/^⟨.*⟩$/.test(shown)) kind += " raw";
  if (none) kind += " none";
  const span = el("span", kind, shown);
  span.dataset.i = i;
  return span;
}

function firstStrong(text) {
  const found = /[\p{L}]/u.exec(text);
  return found && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(found[0]) ? "rtl" : "ltr";
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
  if (cursor && $(".lm-card").classList.contains("show")) drawCard($(".lm-card"), data, cursor.run, cursor.i, look);
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

function showCard(run, i) {
  const card = $(".lm-card"), span = spans[run][i];
  drawCard(card, data, run, i, look);
  card.classList.add("show");
  const at = span.getClientRects()[0] || span.getBoundingClientRect(), root = element.getBoundingClientRect();
  const below = at.bottom + card.offsetHeight + 16 < innerHeight || at.top < card.offsetHeight + 16;
  card.style.left = Math.max(0, Math.min(at.left - root.left, root.width - card.offsetWidth)) + "px";
  card.style.top = (below ? at.bottom - root.top + 8 : at.top - root.top - card.offsetHeight - 8) + "px";
}

function hideCard() {
  clearTimeout(timer);
  $(".lm-card").classList.remove("show");
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

measures();
draw();
watch("value", draw);
