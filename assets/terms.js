// One line about a term: of a field or a figure that has the focus, of any label under the pointer.
// Needs TERMS (assets/terms.json) before it.
const LABELS = "[data-testid='block-info'], .lm-fig > .l, .lm-num2 > span, .lm-table thead th";
const WAIT = 350; // milliseconds that a pointer rests before anything is shown
const bubble = document.createElement("div");
bubble.id = "lm-term";
bubble.setAttribute("role", "tooltip");
bubble.hidden = true;
document.body.append(bubble);
let about = null, resting = 0; // whose description the bubble is

function meaning(label) {
  if (!label || label.parentElement.querySelector(":scope > .why")) return "";
  const name = label.textContent.trim().toLowerCase().replace(/\s+/g, " ");
  return Object.hasOwn(TERMS, name) ? TERMS[name] : "";
}

function explain(label, focused) {
  const text = meaning(label);
  if (!text) return silence();
  bubble.textContent = text;
  bubble.hidden = false;
  const at = label.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const above = at.top - bubble.offsetHeight - 6;
  bubble.style.left = Math.max(8, Math.min(at.left, wide - bubble.offsetWidth - 8)) + "px";
  // No room above: beside the label, where it does not cover the field below.
  bubble.style.top = (above > 4 ? above : Math.max(4, at.top - 4)) + "px";
  if (above <= 4) bubble.style.left = Math.max(8, Math.min(at.right + 12, wide - bubble.offsetWidth - 8)) + "px";
  about = focused || null;
  about?.setAttribute("aria-describedby", [about.getAttribute("aria-describedby"), bubble.id].filter(Boolean).join(" "));
}

function silence() {
  clearTimeout(resting);
  bubble.hidden = true;
  if (!about) return;
  const others = (about.getAttribute("aria-describedby") || "").split(" ").filter((id) => id && id !== bubble.id);
  if (others.length) about.setAttribute("aria-describedby", others.join(" "));
  else about.removeAttribute("aria-describedby");
  about = null;
}

const labelOf = (node) => node.matches(".lm-fig, .lm-num2") ? node.querySelector(LABELS)
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
document.addEventListener("scroll", silence, { capture: true, passive: true });
document.addEventListener("keydown", ({ key }) => { if (key === "Escape") silence(); });
