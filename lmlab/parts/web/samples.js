// Samples of one prompt as a table, most likely first.
import { cells, el, onValue, put, table } from "./dom.js";
import { count, fixed, probability, visible } from "./format.js";

function row({ count: drawn, logprob, perplexity, text, finish }) {
  return el("tr", "", ...cells([count(drawn) + "×", fixed(logprob, 2), probability(Math.exp(logprob)), perplexity.toPrecision(3)]),
    put(el("td", "tok", visible(text) || "∅"), { dir: "auto", title: visible(text) }), el("td", "how", finish));
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  onValue(given, (value) => element.querySelector(".lm-scroll").replaceChildren(value
    ? table("lm-table lm-samples", ["drawn", "ln p", "p", "perplexity", "completion", "ended by"], value.map(row))
    : el("p", "lm-why", "Draw several completions at once: a language model is a distribution over texts.")));
}
