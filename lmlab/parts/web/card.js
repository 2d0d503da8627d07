// A token's card (on hover and focus) and its pinned distribution. Draws only; asks nobody.
import { KEY } from "../../made.js";
import { choiceBars } from "./choices.js";
import { el } from "./dom.js";
import { count, label, probability } from "./format.js";
import { valueOf, withUnit } from "./measures.js";
import { flowFacts } from "./flow.js";

// [{text, p, actual}] from a row of alternatives; null while they are not here yet.
export function alternatives(tops, row) {
  if (!tops || !row) return null;
  const found = [];
  for (let j = 1; j < row.length; j += 2) {
    const text = tops.words[row[j]];
    found.push({ text, p: Math.exp(-row[j + 1] / KEY.scale), actual: (j - 1) / 2 === row[0] });
  }
  return found;
}

// The bars of a distribution: the likeliest, then the actual token where it is not among them, then
// all the rest together.
function bars(found, actual, limit) {
  const rows = found.slice(0, limit);
  if (actual.p != null && !rows.some((r) => r.actual)) rows.push({ ...actual, actual: true, far: true });
  const rest = Math.max(0, 1 - rows.reduce((sum, r) => sum + r.p, 0));
  rows.push({ text: "all others", p: rest, rest: true });
  const top = Math.max(...rows.map((r) => r.p), 1e-9);
  const list = el("div", "lm-bars");
  for (const r of rows) {
    const row = el("div", "lm-bar" + (r.actual ? " actual" : "") + (r.rest ? " rest" : "") + (r.far ? " far" : ""));
    const name = el("b", "", r.rest ? r.text : label(r.text));
    name.dir = "auto";
    if (r.far && r.rank) name.title = "rank " + count(r.rank);
    const track = el("span", "lm-track"), bar = el("i");
    bar.style.width = (100 * r.p) / top + "%";
    track.append(bar);
    row.append(name, track, el("em", "", probability(r.p)));
    list.append(row);
  }
  return list;
}

function waiting() {
  return el("div", "lm-wait", "alternatives …");
}

const measuresIn = (data, pair) => KEY.measures.filter((m) => m.pair === pair && data.measures.includes(m.key));

// The measures of a token, one column for each run that shares it.
function facts(data, which, i) {
  const runs = data.runs;
  const table = el("div", "lm-facts" + (which.length > 1 ? " two" : ""));
  if (which.length > 1) {
    table.append(el("span"), ...which.map((r) => el("span", "lm-head", runs[r].model)));
  }
  for (const m of measuresIn(data, false)) {
    table.append(el("span", "lm-name", m.short), ...which.map((r) => el("span", "lm-num", withUnit(m, valueOf(runs, r, i, m.key)))));
  }
  return table;
}

function title(runs, run, i, tag) {
  const head = el("div", "lm-title"), name = el(tag, "", label(runs[run].texts[i]));
  name.dir = "auto";
  head.append(name, el("span", "lm-place", "token " + count(i + 1) + " of " + count(runs[run].texts.length)));
  return head;
}

function unscored() {
  return el("p", "lm-why", "Not scored: nothing stands before the first token, so the model has no distribution for it.");
}

// A distribution as bars; beside them what the controls made of it, where that is known.
function distribution(found, actual, limit, pick) {
  if (!found) return waiting();
  return found.controlled ? choiceBars(found, { limit, pick }) : bars(found, actual, limit);
}

function apart(runs, i) {
  return el("p", "lm-why", "The models cut this piece into " + count(runs[0].counts[i]) + " and " + count(runs[1].counts[i])
    + " tokens: only sums over it can be compared.");
}

export function drawCard(card, data, run, i, look) {
  const runs = data.runs, which = data.same ? [0, 1] : [run];
  card.replaceChildren(title(runs, run, i, "h4"));
  if (runs[run].logprob[i] == null) return card.append(unscored());
  card.append(facts(data, which, i));
  if (data.same) {
    for (const text of shifts(data, i)) card.append(el("div", "lm-diff", text));
  }
  if (data.pieces) return card.append(apart(runs, i));
  card.append(distribution(look(run, i), actualOf(runs, run, i), 5));
}

// How far two models are apart at a token, in words.
function shifts(data, i) {
  const found = measuresIn(data, true).map((m) => ({ m, value: valueOf(data.runs, 0, i, m.key) }));
  return found.filter(({ value }) => value != null).map(({ m, value }) => m.label + " " + withUnit(m, value));
}

function actualOf(runs, run, i) {
  return { text: runs[run].texts[i], p: valueOf(runs, run, i, "probability"), rank: runs[run].rank?.[i] };
}

export function drawPinned(panel, data, pin, look, close, pick) {
  panel.replaceChildren();
  panel.hidden = !pin;
  if (!pin) return;
  const runs = data.runs, which = data.same ? [0, 1] : [pin.run];
  const head = title(runs, pin.run, pin.i, "h2"), button = el("button", "lm-unpin", "Unpin");
  button.type = "button";
  button.onclick = close;
  head.append(button);
  panel.append(head);
  if (runs[pin.run].logprob[pin.i] == null) return panel.append(unscored());
  const row = el("div", "lm-dists");
  for (const r of data.pieces ? [] : which) {
    const block = el("section", "lm-dist");
    block.append(el("h3", "", (data.runs.length > 1 ? runs[r].model + ": " : "") + "p( · | everything before)"));
    block.append(distribution(look(r, pin.i), actualOf(runs, r, pin.i), 10, pick));
    row.append(block);
  }
  const block = el("section", "lm-dist facts");
  block.append(el("h3", "", data.pieces ? "this piece" : "this token"), facts(data, which, pin.i));
  if (data.same) for (const text of shifts(data, pin.i)) block.append(el("div", "lm-diff", text));
  if (data.pieces) block.append(apart(runs, pin.i));
  if (data.flow) block.append(...flowFacts(runs[0], pin.i));
  row.append(block);
  panel.append(row);
}
