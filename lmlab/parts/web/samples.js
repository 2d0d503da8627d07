// Samples of one prompt as a table, most likely first.
import { el } from "./dom.js";
import { count, fixed, probability, visible } from "./format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const box = element.querySelector(".lm-scroll");

  function cell(text, kind) {
    return el("td", kind || "", text);
  }

  function row(sample) {
    const tr = el("tr"), text = cell(visible(sample.text) || "∅", "tok");
    text.dir = "auto";
    text.title = visible(sample.text);
    tr.append(cell(count(sample.count) + "×"), cell(fixed(sample.logprob, 2)), cell(probability(Math.exp(sample.logprob))),
      cell(sample.perplexity.toPrecision(3)), text, cell(sample.finish, "how"));
    return tr;
  }

  function draw() {
    let value = null;
    try { value = JSON.parse(props.value); } catch { /* nothing came yet */ }
    if (!value) return box.replaceChildren(el("p", "lm-why", "Draw several completions at once: a language model is a distribution over texts."));
    const table = el("table", "lm-table lm-samples"), head = el("tr"), body = el("tbody");
    for (const name of ["drawn", "ln p", "p", "perplexity", "completion", "ended by"]) head.append(el("th", "", name));
    body.append(...value.map(row));
    const top = el("thead");
    top.append(head);
    table.append(top, body);
    box.replaceChildren(table);
  }

  draw();
  watch("value", draw);
}
