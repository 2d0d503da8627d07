// The branches that a visitor tried, as a tree of buttons.
import { el } from "./dom.js";
import { count, fixed, label } from "./format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const box = element.querySelector(".lm-branches");

  function row(branch) {
    const item = el("button", "lm-branch" + (branch.here ? " here" : "") + (branch.on ? " on" : ""));
    item.type = "button";
    item.style.paddingInlineStart = .6 + 1.1 * Math.min(branch.depth, 12) + "rem";
    const name = el("b", "", label(branch.words));
    name.dir = "auto";
    item.append(el("i", "fork", branch.depth ? "↳" : "•"), name,
      el("span", "", count(branch.tokens) + (branch.tokens === 1 ? " token" : " tokens")), el("em", "", "ln p " + fixed(branch.logprob, 1)));
    if (branch.here) item.setAttribute("aria-current", "true");
    item.title = "Go to the end of this branch";
    item.onclick = () => trigger("goto", { node: branch.node });
    return item;
  }

  function draw() {
    let value = null;
    try { value = JSON.parse(props.value); } catch { /* nothing came yet */ }
    if (!value || !value.length) return box.replaceChildren(el("p", "lm-why", "Every completion and fork of this prompt will be listed here, to come back to."));
    box.replaceChildren(...value.map(row));
  }

  draw();
  watch("value", draw);
}
