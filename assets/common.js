// Shared by the page's scripts. Text becomes DOM by textContent only. KEY (the measures and the
// scale of the numbers) is put before this file by lmlab/parts/scripts.py.
const LN2 = Math.LN2;

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text != null) node.textContent = text;
  return node;
}

const NAMED = {
  "\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\u00a0": "⍽",
};
const ODD = /[\x00-\x1f\x7f-\xa0\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202f\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

// Control characters as signs that can be seen; the same as lmlab.palette.visible.
function visible(text) {
  return text.replace(ODD, (c) => NAMED[c] ||
    (c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0))
      : "⟨U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩"));
}

// For a label: spaces too.
function label(text) {
  return text === "" ? "∅" : visible(text).replace(/^ +| +$/g, (s) => "␣".repeat(s.length));
}

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function probability(p) {
  if (p >= 0.9995) return p > 0.99995 ? "1.0000" : p.toFixed(4);
  if (p >= 0.001) return p.toFixed(p >= 0.1 ? 3 : 4);
  if (!(p > 0)) return "0";
  const [digits, power] = p.toExponential(1).split("e");
  return digits + "·10" + [...power.replace("+", "")].map((c) => SUPERSCRIPT[c]).join("");
}

const minus = (text) => text.replace("-", "−");
const fixed = (x, digits) => minus(x.toFixed(digits));
const count = (n) => n.toLocaleString("en");

const measureOf = (key) => KEY.measures.find((m) => m.key === key);

// The value of one token of a run in a measure's own unit; null where there is none. The same as
// Measure.value of lmlab.measures.
function valueOf(runs, run, i, key) {
  const m = measureOf(key), r = runs[m.pair ? 0 : run], own = r[m.column]?.[i], other = m.gap ? runs[1]?.[m.column]?.[i] : 0;
  if (own == null || other == null) return null;
  const value = ((m.gap ? other - own : own) * m.times) / (m.per ? r[m.per][i] : 1);
  return m.exp ? Math.exp(value) : value;
}

// A value without its unit; the same as Measure.show.
function valueText(m, value) {
  if (value == null) return "–";
  if (m.digits == null) return probability(value);
  return (m.diverging && value > 0 ? "+" : "") + (m.digits ? fixed(value, m.digits) : count(value));
}

const withUnit = (m, value) => valueText(m, value) + (value != null && m.unit ? " " + m.unit : "");

// The colour of a value; the same as Measure.level.
function level(value, key) {
  const edges = measureOf(key).edges;
  const falling = edges[0] > edges[edges.length - 1];
  let n = 0;
  for (const edge of edges) if (falling ? value <= edge : value >= edge) n++;
  return n;
}

// One shared state a page: what each group shows, and which token is looked at.
window.lmlab = window.lmlab || { shown: {} };

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent("lmlab:" + name, { detail }));
}

function onTold(element, name, handler) {
  const listener = (event) => {
    if (!element.isConnected) document.removeEventListener("lmlab:" + name, listener);
    else handler(event.detail);
  };
  document.addEventListener("lmlab:" + name, listener);
}
