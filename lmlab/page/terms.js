// One line about a term: of a field or a figure that has the focus, of any label under the pointer.
import { el, onHere, put } from "../parts/web/dom.js";
import { TERMS } from "../made.js";

const SHOWN = ".lm-fig > .l, .lm-num2 > span, .lm-table thead th"; // labels of what is no field
const LABELS = "[data-testid='block-info'], " + SHOWN;
const WAIT = 350; // milliseconds that a pointer rests before anything is shown
const bubble = document.body.appendChild(put(el("div"), { id: "lm-term", role: "tooltip", hidden: true }));
let about = null, resting = 0; // whose description the bubble is

function meaning(label) {
  if (!label || label.parentElement.querySelector(":scope > .why")) return "";
  const name = label.textContent.trim().toLowerCase().replace(/\s+/g, " ");
  // What follows the term itself, as in "parameters N: the shape of GPT-3", changes.
  const known = [name, name.split(/[:;]/)[0]].find((one) => Object.hasOwn(TERMS, one));
  return known ? TERMS[known] : "";
}

// Figures and heads of columns that are terms can have the focus.
function reach() {
  for (const label of document.querySelectorAll(SHOWN)) {
    const box = label.matches("th") ? label : label.parentElement;
    if (!box.hasAttribute("tabindex") && meaning(label)) box.tabIndex = 0;
  }
}

function explain(label, focused) {
  const text = meaning(label);
  if (!text) return silence();
  bubble.textContent = text;
  bubble.hidden = false;
  place(label);
  about = focused || null;
  if (about) about.setAttribute("aria-describedby", [...others(about), bubble.id].join(" "));
}

const others = (node) => (node.getAttribute("aria-describedby") || "").split(" ").filter((id) => id && id !== bubble.id);

function place(label) {
  const at = label.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const above = at.top - bubble.offsetHeight - 6;
  bubble.style.left = Math.max(8, Math.min(at.left, wide - bubble.offsetWidth - 8)) + "px";
  // No room above: beside the label, where it does not cover the field below.
  bubble.style.top = (above > 4 ? above : Math.max(4, at.top - 4)) + "px";
  if (above <= 4) bubble.style.left = Math.max(8, Math.min(at.right + 12, wide - bubble.offsetWidth - 8)) + "px";
}

function silence() {
  clearTimeout(resting);
  bubble.hidden = true;
  if (!about) return;
  const left = others(about);
  if (left.length) about.setAttribute("aria-describedby", left.join(" "));
  else about.removeAttribute("aria-describedby");
  about = null;
}

const labelOf = (node) => node.matches("th") ? node : node.matches(".lm-fig, .lm-num2") ? node.querySelector(LABELS)
  : node.closest(".block")?.querySelector("[data-testid='block-info']");

document.addEventListener("focusin", ({ target }) => {
  silence();
  if (target.matches("input, textarea, button, [tabindex='0']") && target.matches(":focus-visible")) explain(labelOf(target), target);
});
document.addEventListener("focusout", silence);
document.addEventListener("pointerover", ({ target, pointerType }) => {
  if (pointerType === "touch" || about) return;
  silence();
  const label = target.closest?.(LABELS);
  if (label) resting = setTimeout(explain, WAIT, label);
});
document.addEventListener("pointerdown", () => clearTimeout(resting));
// What takes the focus may be scrolled to; the line goes with it as long as it is in sight.
document.addEventListener("scroll", () => {
  const label = about && labelOf(about), at = label?.getBoundingClientRect();
  if (at && at.bottom > 0 && at.top < innerHeight) place(label);
  else silence();
}, { capture: true, passive: true });
document.addEventListener("keydown", ({ key }) => { if (key === "Escape") silence(); });

onHere(reach, 300);
