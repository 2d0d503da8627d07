// What a strip is made of: tokens, and what stands before them.
import { el } from "./dom.js";
import { visible } from "./format.js";

// What was conditioned on: start tokens and the end of the prefix.
export function given(r, flow) {
  const parts = r.context.map((text) => {
    const chip = el("span", "lm-start", visible(text));
    chip.title = "stands before the text";
    return chip;
  });
  if (r.prefix) {
    const prefix = el("span", "lm-prefix", (r.cut ? "… " : "") + visible(r.prefix).replace(/⏎/g, "⏎\n"));
    prefix.title = flow ? "the prompt" : "prefix: given, not scored";
    parts.push(prefix);
  }
  return parts;
}

export function token(text, i, none) {
  let shown = visible(text), kind = "lm-tok";
  if (text.includes("\n")) {
    kind += " line";
    shown = shown.replace(/⏎/g, "⏎\n");
  }
  if (/^ +$| {2}/.test(text)) shown = shown.replace(/ /g, "·");
  else if (text[0] === " ") kind += " sp";
  if (/^⟨.*⟩$/.test(shown)) kind += " raw";
  if (none) kind += " none";
  const span = el("span", kind, shown);
  span.dataset.i = i;
  return span;
}

export function firstStrong(text) {
  const found = /[\p{L}]/u.exec(text);
  return found && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(found[0]) ? "rtl" : "ltr";
}

// "x_{i}" with the i set low.
export function lowered(text) {
  const node = el("span", "lm-formula");
  text.split(/_\{(.*?)\}/).forEach((part, n) => node.append(n % 2 ? el("sub", "", part) : part));
  return node;
}
