// What a strip is made of: tokens, and what stands before them.
import { el, put } from "./dom.js";
import { visible } from "./format.js";

// What was conditioned on: start tokens and the end of the prefix.
export function given(r, flow) {
  const chips = r.context.map((text) => put(el("span", "lm-start", visible(text)), { title: "stands before the text" }));
  if (!r.prefix) return chips;
  const prefix = el("span", "lm-prefix", (r.cut ? "… " : "") + visible(r.prefix).replace(/⏎/g, "⏎\n"));
  return [...chips, put(prefix, { title: flow ? "the prompt" : "prefix: given, not scored" })];
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
  const span = el("span", kind + (none ? " none" : ""), shown);
  span.dataset.i = i;
  return span;
}

export function firstStrong(text) {
  const found = /[\p{L}]/u.exec(text);
  return found && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(found[0]) ? "rtl" : "ltr";
}

// "x_{i}" with the i set low.
export const lowered = (text) => el("span", "lm-formula", ...text.split(/_\{(.*?)\}/).map((part, n) => (n % 2 ? el("sub", "", part) : part)));
