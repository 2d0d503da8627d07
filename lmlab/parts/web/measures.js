// The measures of a token: its values, and their colours.
import { KEY } from "../../made.js";
import { count, fixed, probability } from "./format.js";

export const LN2 = Math.LN2;
export const measureOf = (key) => KEY.measures.find((m) => m.key === key);

// The measure that a comparison of two models opens with: by token, or by pieces of text.
export const ownOf = (data) => (data?.pieces ? "per_byte" : "difference");

// The value of one token of a run in a measure's own unit; null where there is none. The same as
// Measure.value of lmlab.measures.
export function valueOf(runs, run, i, key) {
  const m = measureOf(key), r = runs[m.pair ? 0 : run], own = r[m.column]?.[i], other = m.gap ? runs[1]?.[m.column]?.[i] : 0;
  if (own == null || other == null) return null;
  const value = ((m.gap ? other - own : own) * m.times) / (m.per ? r[m.per][i] : 1);
  return m.exp ? Math.exp(value) : value;
}

// A value without its unit; the same as Measure.show.
export function valueText(m, value) {
  if (value == null) return "–";
  if (m.digits == null) return probability(value);
  return (m.diverging && value > 0 ? "+" : "") + (m.digits ? fixed(value, m.digits) : count(value));
}

export const withUnit = (m, value) => valueText(m, value) + (value != null && m.unit ? " " + m.unit : "");

// The colour of a value; the same as Measure.level.
export function level(value, key) {
  const edges = measureOf(key).edges;
  const falling = edges[0] > edges[edges.length - 1];
  let n = 0;
  for (const edge of edges) if (falling ? value <= edge : value >= edge) n++;
  return n;
}
