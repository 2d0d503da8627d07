// The bars of a next-token distribution: the model's own beside what the controls made of it.
import { button, el, put } from "./dom.js";
import { label, probability } from "./format.js";

// `pick`, where given, is called with the place of the token that a visitor takes.
export function choiceBars(found, { limit, pick, keepSize = false }) {
  const rows = found.slice(0, limit), drawn = found.drawn || found.slice(limit).find((c) => c.actual);
  if (drawn) rows.push({ ...drawn, actual: true, far: true });
  // What rounding leaves over is nothing.
  const left = (key) => { const rest = 1 - rows.reduce((sum, c) => sum + c[key], 0); return rest > 2e-5 ? rest : 0; };
  rows.push({ text: "all others", p: left("p"), after: left("after"), others: true });
  const top = Math.max(...rows.map((c) => Math.max(c.p, c.after)), 1e-9);
  return el("div", "lm-choices" + (keepSize ? " all" : ""), ...rows.map((c) => choiceRow(c, top, pick)));
}

function choiceRow(c, top, pick) {
  const kind = "lm-choice" + (c.actual ? " actual" : "") + (c.others ? " rest" : "") + (c.far ? " far" : "") + (c.after > 0 ? "" : " cut");
  const free = pick && !c.others && c.which != null && !c.far;
  const row = free ? button(kind, null, () => pick(c.which), {
    title: "Take this token and go on from here",
    "aria-label": label(c.text) + ": " + probability(c.p) + ", after the controls " + probability(c.after) + ". Take it.",
  }) : el("div", kind);
  const track = el("span", "lm-pair");
  for (const [name, value] of [["own", c.p], ["after", c.after]]) {
    const bar = el("i", name);
    bar.style.width = (100 * value) / top + "%";
    track.append(bar);
  }
  row.append(put(el("b", "", c.others ? c.text : label(c.text)), { dir: "auto" }), track,
    el("em", "own", probability(c.p)), el("em", "after", c.after > 0 ? probability(c.after) : "cut off"));
  return row;
}
