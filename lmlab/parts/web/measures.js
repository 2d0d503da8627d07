// The measures of a token: its values, and their colours.
import { KEY } from "../../made.js";

export const LN2 = Math.LN2;

// The value of one token of a run in a measure's own unit; null where there is none.
export function valueOf(runs, run, i, key) {
  const r = runs[run];
  if (key === "rank") return r.rank[i];
  if (key === "entropy") return r.entropy[i] == null ? null : r.entropy[i] / KEY.scale / LN2;
  if (key === "kl" || key === "kl_reverse") {
    const value = runs[0][key]?.[i];
    return value == null ? null : value / KEY.scale / LN2;
  }
  if (r.nll[i] == null) return null;
  const nats = r.nll[i] / KEY.scale;
  if (key === "surprisal") return nats / LN2;
  if (key === "probability") return Math.exp(-nats);
  if (key === "difference" || key === "per_byte") {
    const size = key === "per_byte" ? r.bytes[i] : 1;
    return runs[1].nll[i] == null ? null : (runs[0].nll[i] - runs[1].nll[i]) / KEY.scale / LN2 / size;
  }
  return -nats;
}

export const measureOf = (key) => KEY.measures.find((m) => m.key === key);

// The colour of a value; the same as lmlab.palette.bin_of.
export function level(value, key) {
  const edges = measureOf(key).edges;
  const falling = edges[0] > edges[edges.length - 1];
  let n = 0;
  for (const edge of edges) if (falling ? value <= edge : value >= edge) n++;
  return n;
}
