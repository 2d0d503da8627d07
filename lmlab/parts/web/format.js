// Numbers and white space as people read them; the same as lmlab.numbers and lmlab.palette.visible,
// by the cases of tests/format_cases.json.

const NAMED = {
  "\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\u00a0": "⍽",
};
// Whatever Python's str.isprintable refuses, but for joiners, which are a part of emoji and words.
const ODD = /(?![ \u200c\u200d])[\p{C}\p{Z}]/gu;

/** Line breaks, tabs and control characters as signs that can be seen. @param {string} text */
export function visible(text) {
  return text.replace(ODD, (c) => NAMED[c] ||
    (c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0))
      : "⟨U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩"));
}

/** For a label: spaces too. @param {string} text */
export function label(text) {
  return text === "" ? "∅" : visible(text).replace(/^ +| +$/g, (s) => "␣".repeat(s.length));
}

export const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** With about three digits. @param {number} p */
export function probability(p) {
  if (p >= 0.001) return p.toFixed(p < 0.1 || p >= 0.9995 ? 4 : 3);
  if (!(p > 0)) return "0";
  const [digits, power] = p.toExponential(1).split("e");
  return digits + "·10" + [...power.replace("+", "")].map((c) => SUPERSCRIPT[c]).join("");
}

/** With a true minus sign. @param {string} text */
export const minus = (text) => text.replace("-", "−");
/** What lies exactly between two goes to the even one, as Python's does.
 * @param {number} x @param {number} digits */
export function fixed(x, digits) {
  const tens = 10 ** digits, scaled = x * tens;
  const between = Math.abs(scaled % 1) === 0.5 && Number.isInteger(x * 2 ** (digits + 1));
  return minus((between ? 2 * Math.round(scaled / 2) / tens : x).toFixed(digits));
}
/** With commas between thousands. @param {number} n */
export const count = (n) => n.toLocaleString("en");
