// The chart of what could come next, before anything is drawn.
import { choiceBars } from "./choices.js";
import { el, onValue } from "./dom.js";
import { choicesFrom } from "./flow.js";
import { count, fixed } from "./format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const box = element.querySelector(".lm-next");
  onValue(given, (value) => {
    if (!value || value.said != null) return box.replaceChildren(el("p", "lm-why", value ? value.said : "Press Run or Step, and the model’s choices for the next token stand here."));
    const [own, after] = value.entropy;
    const facts = el("div", "lm-nextfacts",
      el("span", "", "entropy " + fixed(own, 2) + " → " + fixed(after, 2) + " bits"),
      el("span", "", count(value.kept) + " of " + count(value.size) + " tokens possible"));
    box.replaceChildren(facts, choiceBars(choicesFrom(value.top, -1), { limit: 10, pick: (which) => given.trigger("choose", { which }), keepSize: true }));
  });
}
