// Reads what a strip is given: one JSON object, or a completion as lines of JSON that grow.
import { KEY } from "../../made.js";
import { el } from "./dom.js";
import { count, fixed, probability } from "./format.js";
import { LN2, valueOf } from "./measures.js";

const ENDS = { end: "end token", stop: "stop string", length: "length reached", context: "context full" };

export function read(text) {
  if (!text) return null;
  try {
    const [first, ...lines] = text.split("\n"), head = JSON.parse(first);
    return "forks" in head ? flowing(head, lines.map((line) => JSON.parse(line))) : head;
  } catch { return null; }
}

function flowing({ columns, ...head }, lines) {
  const column = (k) => lines.map((line) => line[k]);
  const run = {
    model: head.model, context: head.context, prefix: head.prefix, cut: head.cut, bpb: null,
    texts: column(0), after: column(2), entropyAfter: column(3), place: column(4), choices: column(5), finish: column(6),
  };
  columns.forEach((name, k) => { run[name] = lines.map((line) => line[1][k]); });
  return { ...head, flow: true, same: false, notes: [], runs: [run] };
}

// The alternatives of one step, before and after the controls.
export function choicesOf(run, i) {
  const found = choicesFrom(run.choices[i], run.place[i]);
  if (run.place[i] < 0) found.drawn = { text: run.texts[i], p: valueOf([run], 0, i, "probability"), after: run.after[i], rank: run.rank?.[i] };
  return found;
}

export function choicesFrom(top, place) {
  const found = top.map(([text, nll, after], which) => ({ text, p: Math.exp(-nll / KEY.scale), after, which, actual: which === place }));
  return Object.assign(found, { controlled: top[0]?.[2] !== null, drawn: null });
}

// Above a completion: whose it is, how likely it is by now, and why it ended.
export function flowHeading(run) {
  const n = run.texts.length, nats = -run.logprob.reduce((sum, x) => sum + x, 0) / KEY.scale, end = ENDS[run.finish[n - 1]];
  const facts = n ? [count(n) + (n === 1 ? " token" : " tokens"), "ln p " + fixed(-nats, 1), "perplexity " + Math.exp(nats / n).toPrecision(3)] : [];
  return el("div", "lm-runhead", el("b", "", run.model), ...facts.map((text) => el("span", "", text)), end ? el("span", "lm-end", end) : null);
}

// An engine that draws by itself does not tell them.
export const flowFacts = (run, i) => (run.entropyAfter[i] === null ? [] : [
  "p after the controls " + probability(run.after[i]),
  "entropy after " + fixed(run.entropyAfter[i] / KEY.scale / LN2, 2) + " bits",
]).map((text) => el("div", "lm-diff", text));
