// The chart of what could come next, before anything is drawn.
import { choiceBars } from "./choices.js";
import { el } from "./dom.js";
import { choicesFrom } from "./flow.js";
import { count, fixed } from "./format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const box = element.querySelector(".lm-next");

  function draw() {
    let value = null;
    try { value = JSON.parse(props.value); } catch { /* nothing came yet */ }
    if (!value || value.said != null) return box.replaceChildren(el("p", "lm-why", value ? value.said : "Press Run or Step, and the model’s choices for the next token stand here."));
    const found = choicesFrom(value.top, -1), facts = el("div", "lm-nextfacts");
    const [own, after] = value.entropy;
    facts.append(
      el("span", "", "entropy " + fixed(own, 2) + " → " + fixed(after, 2) + " bits"),
      el("span", "", count(value.kept) + " of " + count(value.size) + " tokens possible"),
    );
    box.replaceChildren(facts, choiceBars(found, { limit: 10, pick: (which) => trigger("choose", { which }), keepSize: true }));
  }

  draw();
  watch("value", draw);
}
