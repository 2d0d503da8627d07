// What the model answers before and now, side by side as tokens.
import { KEY } from "../../made.js";
import { el } from "./dom.js";
import { count, label, probability, visible } from "./format.js";
import { level } from "./measures.js";
import { watchRun } from "./monitor.js";

function toks(sample) {
  const line = el("div", "lm-toks");
  if (!sample) {
    line.append(el("span", "lm-why", "after the first check …"));
    return line;
  }
  line.dir = "auto";
  line.append(...sample.tokens.map(([text, nll]) => {
    const p = Math.exp(-nll / KEY.scale), kind = "lm-tok" + (text[0] === " " && text.trim() ? " sp" : "");
    const node = el("span", kind + " b" + level(p, "probability"), visible(text));
    node.title = label(text) + ": p = " + probability(p);
    return node;
  }));
  if (!sample.tokens.length) line.append(el("span", "lm-why", "nothing"));
  return line;
}

function right(sample) {
  if (!sample || !sample.truth) return null;
  const same = sample.text.trim() === sample.truth.trim();
  return el("span", "lm-mark " + (same ? "right" : "wrong"), same ? "✓" : "✗");
}

function side(name, sample) {
  const part = el("section", "lm-sampleside"), head = el("div", "lm-samplehead", name), mark = right(sample);
  if (mark) head.append(" ", mark);
  part.append(head, toks(sample));
  return part;
}

function drawSamples(box, samples) {
  const made = [...samples.entries()].sort(([a], [b]) => a - b).map(([, { before, now }]) => {
    const one = before || now, row = el("article", "lm-sample"), prompt = el("div", "lm-sampleprompt");
    const text = el("span", "", visible(one.prompt).replace(/⏎/g, "⏎\n"));
    text.dir = "auto";
    prompt.append(text);
    if (one.truth) prompt.append(el("span", "lm-truth", "true: " + visible(one.truth.trim())));
    row.append(prompt, side("before", before), side(now ? "step " + count(now.step) : "now", now));
    return row;
  });
  box.replaceChildren(el("h3", "lm-h", "The same prompts, before and now"), ...made);
}

/** @param {HTMLElement} element @param {Given} data */
export function mount(element, data) {
  watchRun(element, data, drawSamples);
}
