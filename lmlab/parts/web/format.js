// Numbers and white space as people read them; the same as lmlab.parts.numbers and palette.visible.

const NAMED = {
  "\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\u00a0": "⍽",
};
const ODD = /[\x00-\x1f\x7f-\xa0\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202f\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

// Control characters as signs that can be seen; the same as lmlab.palette.visible.
export function visible(text) {
  return text.replace(ODD, (c) => NAMED[c] ||
    (c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0))
      : "⟨U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩"));
}

// For a label: spaces too.
export function label(text) {
  return text === "" ? "∅" : visible(text).replace(/^ +| +$/g, (s) => "␣".repeat(s.length));
}

export const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

export function probability(p) {
  if (p >= 0.9995) return p > 0.99995 ? "1.0000" : p.toFixed(4);
  if (p >= 0.001) return p.toFixed(p >= 0.1 ? 3 : 4);
  if (!(p > 0)) return "0";
  const [digits, power] = p.toExponential(1).split("e");
  return digits + "·10" + [...power.replace("+", "")].map((c) => SUPERSCRIPT[c]).join("");
}

export const minus = (text) => text.replace("-", "−");
export const fixed = (x, digits) => minus(x.toFixed(digits));
export const count = (n) => n.toLocaleString("en");
