// The positions at which two models differ most, by the measure that the strip of the same group is
// coloured by.
import { asking, cells, el, onTold, put, table, tell } from "./dom.js";
import { count, label, probability } from "./format.js";
import { measureOf, ownOf, valueOf, valueText } from "./measures.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props: { group } }) {
  const box = element.querySelector(".lm-scroll"), MOST = 12;
  let data = null, by = ownOf(null);

  function row(i, value) {
    const r = data.runs, p = (run) => probability(valueOf(r, run, i, "probability"));
    const tr = el("tr", "", el("td", "", count(i + 1)), put(el("td", "tok", label(r[0].texts[i])), { dir: "auto" }),
      ...cells([p(0), p(1), valueText(measureOf(by), value)]));
    tr.dataset.i = i;
    return asking(tr, () => tell("token", { group, run: 0, i, from: "table", pin: true }));
  }

  function draw() {
    if (!data) return box.replaceChildren(el("p", "lm-why", "The tokens that moved most will be listed here."));
    if (!data.measures.includes(by)) by = ownOf(data);
    const values = data.runs[0].texts.map((_, i) => [i, valueOf(data.runs, 0, i, by)]).filter(([, v]) => v != null);
    values.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || a[0] - b[0]);
    const heads = ["i", data.pieces ? "piece" : "token", "p ₁", "p ₂", measureOf(by).label + ", bits"];
    box.replaceChildren(table("lm-table", heads, values.slice(0, MOST).map(([i, v]) => row(i, v))));
  }

  function take(shown) {
    if (ownOf(shown) !== ownOf(data)) by = ownOf(shown);
    data = shown;
    draw();
  }

  onTold(element, "shown", (told) => { if (told.group === group) take(told.data); });
  onTold(element, "measure", (told) => {
    if (told.group !== group || !data || !measureOf(told.key).pair) return;
    by = told.key;
    draw();
  });
  take(window.lmlab.shown[group] || null);
}
