// Two sentences, each token coloured by its surprisal, the places where they part marked.
import { el } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";
import { LN2, level } from "../../parts/web/measures.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  function tokens(side) {
    const line = el("div", "lm-toks");
    side.tokens.forEach(([text, nats, rank], i) => {
      const value = nats == null ? null : nats / LN2;
      const node = el("span", "lm-tok" + (value == null ? " none" : " b" + level(value, "surprisal")) + (i === side.mark ? " pin" : ""), visible(text).replace(/^ /, "·"));
      node.title = value == null ? "not scored" : `${value.toFixed(2)} bits, rank ${count(rank)}`;
      line.append(node);
    });
    line.dir = "auto";
    return line;
  }

  function draw() {
    let data = null;
    try { data = JSON.parse(props.value); } catch { return; }
    const box = element.querySelector(".lm-pairbox");
    box.replaceChildren();
    for (const side of data.sides) {
      const part = el("div", "lm-side2" + (side.better ? " better" : ""));
      const title = el("div", "lm-sidehead");
      title.append(el("b", "", side.better ? "preferred" : "less likely"), el("span", "", `ln P = ${fixed(side.logprob, 2)} nats`), el("span", "", `${side.bits.toFixed(2)} bits at the marked token`));
      part.append(title, tokens(side));
      box.append(part);
    }
    const times = data.ratio;
    box.append(el("p", "lm-verdict", data.said));
    if (times) box.lastChild.append(el("b", "", times));
  }

  draw();
  watch("value", draw);
}
