// Two sentences, each token coloured by its surprisal, the places where they part marked.
import { el, onValue, put } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";
import { LN2, level } from "../../parts/web/measures.js";

function token([text, nats, rank], marked) {
  const bits = nats == null ? null : nats / LN2, kind = bits == null ? " none" : " b" + level(bits, "surprisal");
  return put(el("span", "lm-tok" + kind + (marked ? " pin" : ""), visible(text).replace(/^ /, "·")),
    { title: bits == null ? "not scored" : `${bits.toFixed(2)} bits, rank ${count(rank)}` });
}

function sentence({ better, logprob, bits, tokens, mark }) {
  const title = el("div", "lm-sidehead", el("b", "", better ? "preferred" : "less likely"), el("span", "", `ln P = ${fixed(logprob, 2)} nats`),
    el("span", "", `${bits.toFixed(2)} bits at the marked token`));
  return el("div", "lm-side2" + (better ? " better" : ""), title, put(el("div", "lm-toks", ...tokens.map((one, i) => token(one, i === mark))), { dir: "auto" }));
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  onValue(given, (data) => {
    if (!data) return;
    const verdict = el("p", "lm-verdict", data.said, data.ratio ? el("b", "", data.ratio) : null);
    element.querySelector(".lm-pairbox").replaceChildren(...data.sides.map(sentence), verdict);
  });
}
