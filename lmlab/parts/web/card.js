// A token's card (on hover and focus) and its pinned distribution. Draws only; asks nobody.
import { KEY } from "../../made.js";
import { choiceBars } from "./choices.js";
import { button, el, put } from "./dom.js";
import { flowFacts } from "./flow.js";
import { count, label, probability } from "./format.js";
import { valueOf, withUnit } from "./measures.js";

// [{text, p, actual}] from a row of alternatives; null while they are not here yet.
export function alternatives(tops, row) {
  if (!tops || !row) return null;
  const found = [];
  for (let j = 1; j < row.length; j += 2) {
    found.push({ text: tops.words[row[j]], p: Math.exp(-row[j + 1] / KEY.scale), actual: (j - 1) / 2 === row[0] });
  }
  return found;
}

// The bars of a distribution: the likeliest, then the actual token where it is not among them, then
// all the rest together.
function bars(found, actual, limit) {
  const rows = found.slice(0, limit);
  if (actual.p != null && !rows.some((r) => r.actual)) rows.push({ ...actual, actual: true, far: true });
  rows.push({ text: "all others", p: Math.max(0, 1 - rows.reduce((sum, r) => sum + r.p, 0)), rest: true });
  const top = Math.max(...rows.map((r) => r.p), 1e-9);
  return el("div", "lm-bars", ...rows.map((r) => {
    const name = put(el("b", "", r.rest ? r.text : label(r.text)), { dir: "auto" }), bar = el("i");
    if (r.far && r.rank) name.title = "rank " + count(r.rank);
    bar.style.width = (100 * r.p) / top + "%";
    const kind = "lm-bar" + (r.actual ? " actual" : "") + (r.rest ? " rest" : "") + (r.far ? " far" : "");
    return el("div", kind, name, el("span", "lm-track", bar), el("em", "", probability(r.p)));
  }));
}

const measuresIn = (data, pair) => KEY.measures.filter((m) => m.pair === pair && data.measures.includes(m.key));

// The measures of a token, one column for each run that shares it.
function facts({ runs, ...data }, which, i) {
  const heads = which.length > 1 ? [el("span"), ...which.map((r) => el("span", "lm-head", runs[r].model))] : [];
  const lines = measuresIn(data, false).flatMap((m) => [el("span", "lm-name", m.short),
    ...which.map((r) => el("span", "lm-num", withUnit(m, valueOf(runs, r, i, m.key))))]);
  return el("div", "lm-facts" + (which.length > 1 ? " two" : ""), ...heads, ...lines);
}

function title(runs, run, i, tag) {
  return el("div", "lm-title", put(el(tag, "", label(runs[run].texts[i])), { dir: "auto" }),
    el("span", "lm-place", "token " + count(i + 1) + " of " + count(runs[run].texts.length)));
}

const unscored = () => el("p", "lm-why", "Not scored: nothing stands before the first token, so the model has no distribution for it.");

// A distribution as bars; beside them what the controls made of it, where that is known.
function distribution(runs, run, i, limit, look, pick) {
  const found = look(run, i), actual = { text: runs[run].texts[i], p: valueOf(runs, run, i, "probability"), rank: runs[run].rank?.[i] };
  if (!found) return el("div", "lm-wait", "alternatives …");
  return found.controlled ? choiceBars(found, { limit, pick }) : bars(found, actual, limit);
}

const apart = (runs, i) => el("p", "lm-why", "The models cut this piece into " + count(runs[0].counts[i]) + " and " + count(runs[1].counts[i])
  + " tokens: only sums over it can be compared.");

// How far two models are apart at a token, in words.
function shifts(data, i) {
  if (!data.same) return [];
  const found = measuresIn(data, true).map((m) => ({ m, value: valueOf(data.runs, 0, i, m.key) }));
  return found.filter(({ value }) => value != null).map(({ m, value }) => el("div", "lm-diff", m.label + " " + withUnit(m, value)));
}

export function drawCard(card, data, run, i, look) {
  const runs = data.runs;
  card.replaceChildren(title(runs, run, i, "h4"));
  if (runs[run].logprob[i] == null) return card.append(unscored());
  card.append(facts(data, data.same ? [0, 1] : [run], i), ...shifts(data, i),
    data.pieces ? apart(runs, i) : distribution(runs, run, i, 5, look));
}

export function drawPinned(panel, data, pin, look, close, pick) {
  panel.replaceChildren();
  panel.hidden = !pin;
  if (!pin) return;
  const { run, i } = pin, runs = data.runs, which = data.same ? [0, 1] : [run], head = title(runs, run, i, "h2");
  head.append(button("lm-unpin", "Unpin", close));
  panel.append(head);
  if (runs[run].logprob[i] == null) return panel.append(unscored());
  const blocks = (data.pieces ? [] : which).map((r) => el("section", "lm-dist",
    el("h3", "", (runs.length > 1 ? runs[r].model + ": " : "") + "p( · | everything before)"), distribution(runs, r, i, 10, look, pick)));
  panel.append(el("div", "lm-dists", ...blocks, el("section", "lm-dist facts",
    el("h3", "", data.pieces ? "this piece" : "this token"), facts(data, which, i), ...shifts(data, i),
    data.pieces ? apart(runs, i) : null, ...(data.flow ? flowFacts(runs[0], i) : []))));
}
