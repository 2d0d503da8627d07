// The branches that a visitor tried, as a tree of buttons.
import { button, el, onValue, put } from "./dom.js";
import { count, fixed, label } from "./format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const box = element.querySelector(".lm-branches");

  function row(branch) {
    const act = () => given.trigger("goto", { node: branch.node });
    const item = button("lm-branch" + (branch.here ? " here" : "") + (branch.on ? " on" : ""), el("i", "fork", branch.depth ? "↳" : "•"), act, { title: "Go to the end of this branch" });
    item.style.paddingInlineStart = .6 + 1.1 * Math.min(branch.depth, 12) + "rem";
    item.append(put(el("b", "", label(branch.words)), { dir: "auto" }),
      el("span", "", count(branch.tokens) + (branch.tokens === 1 ? " token" : " tokens")), el("em", "", "ln p " + fixed(branch.logprob, 1)));
    return branch.here ? put(item, { "aria-current": "true" }) : item;
  }

  onValue(given, (value) => box.replaceChildren(...(value?.length ? value.map(row)
    : [el("p", "lm-why", "Every completion and fork of this prompt will be listed here, to come back to.")])));
}
