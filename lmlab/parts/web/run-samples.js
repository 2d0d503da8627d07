// What the model answers before and now, side by side as tokens.
import { KEY } from "../../made.js";
import { el, put } from "./dom.js";
import { count, label, probability, visible } from "./format.js";
import { level } from "./measures.js";
import { watchRun } from "./monitor.js";

function token([text, nll]) {
  const p = Math.exp(-nll / KEY.scale), kind = "lm-tok" + (text[0] === " " && text.trim() ? " sp" : "");
  return put(el("span", kind + " b" + level(p, "probability"), visible(text)), { title: label(text) + ": p = " + probability(p) });
}

function toks(sample) {
  if (!sample) return el("div", "lm-toks", el("span", "lm-why", "after the first check …"));
  const made = sample.tokens.length ? sample.tokens.map(token) : [el("span", "lm-why", "nothing")];
  return put(el("div", "lm-toks", ...made), { dir: "auto" });
}

function side(name, sample) {
  const head = el("div", "lm-samplehead", name);
  if (sample?.truth) {
    const same = sample.text.trim() === sample.truth.trim();
    head.append(" ", el("span", "lm-mark " + (same ? "right" : "wrong"), same ? "✓" : "✗"));
  }
  return el("section", "lm-sampleside", head, toks(sample));
}

function drawSamples(box, samples) {
  const made = [...samples.entries()].sort(([a], [b]) => a - b).map(([, { before, now }]) => {
    const one = before || now, text = put(el("span", "", visible(one.prompt).replace(/⏎/g, "⏎\n")), { dir: "auto" });
    const prompt = el("div", "lm-sampleprompt", text, one.truth ? el("span", "lm-truth", "true: " + visible(one.truth.trim())) : null);
    return el("article", "lm-sample", prompt, side("before", before), side(now ? "step " + count(now.step) : "now", now));
  });
  box.replaceChildren(el("h3", "lm-h", "The same prompts, before and now"), ...made);
}

/** @param {HTMLElement} element @param {Given} data */
export function mount(element, data) {
  watchRun(element, data, drawSamples);
}
