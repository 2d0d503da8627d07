// The bars of a next-token distribution: the model's own beside what the controls made of it.
import { el } from "./dom.js";
import { label, probability } from "./format.js";

// `pick`, where given, is called with the place of the token that a visitor takes.
export function choiceBars(found, { limit, pick, keepSize = false }) {
  const rows = found.slice(0, limit), hidden = found.slice(limit);
  const drawn = found.drawn || hidden.find((c) => c.actual);
  if (drawn) rows.push({ ...drawn, actual: true, far: true });
  // What rounding leaves over is nothing.
  const left = (key) => { const rest = 1 - rows.reduce((sum, c) => sum + c[key], 0); return rest > 2e-5 ? rest : 0; };
  rows.push({ text: "all others", p: left("p"), after: left("after"), others: true });
  const top = Math.max(...rows.map((c) => Math.max(c.p, c.after)), 1e-9);
  const list = el("div", "lm-choices" + (keepSize ? " all" : ""));
  list.append(...rows.map((c) => choiceRow(c, top, pick)));
  return list;
}

function choiceRow(c, top, pick) {
  const free = pick && !c.others && c.which != null && !c.far;
  const row = el(free ? "button" : "div", "lm-choice"
    + (c.actual ? " actual" : "") + (c.others ? " rest" : "") + (c.far ? " far" : "") + (c.after > 0 ? "" : " cut"));
  const name = el("b", "", c.others ? c.text : label(c.text)), track = el("span", "lm-pair");
  name.dir = "auto";
  for (const [kind, value] of [["own", c.p], ["after", c.after]]) {
    const bar = el("i", kind);
    bar.style.width = (100 * value) / top + "%";
    track.append(bar);
  }
  row.append(name, track, el("em", "own", probability(c.p)), el("em", "after", c.after > 0 ? probability(c.after) : "cut off"));
  if (free) {
    row.type = "button";
    row.title = "Take this token and go on from here";
    row.setAttribute("aria-label", label(c.text) + ": " + probability(c.p) + ", after the controls " + probability(c.after) + ". Take it.");
    row.onclick = () => pick(c.which);
  }
  return row;
}
