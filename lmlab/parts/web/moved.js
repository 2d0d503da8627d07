// The positions at which two models differ most, by the measure that the strip of the same group is
// coloured by.
import { el, onTold, tell } from "./dom.js";
import { count, label, probability } from "./format.js";
import { measureOf, ownOf, valueOf, valueText } from "./measures.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props }) {
  const group = props.group, box = element.querySelector(".lm-scroll"), MOST = 12;
  let data = null, by = ownOf(null);

  function row(i, value) {
    const tr = el("tr"), r = data.runs, text = el("td", "tok", label(r[0].texts[i])), p = (run) => probability(valueOf(r, run, i, "probability"));
    text.dir = "auto";
    tr.dataset.i = i;
    tr.tabIndex = 0;
    tr.append(el("td", "", count(i + 1)), text, el("td", "", p(0)), el("td", "", p(1)), el("td", "", valueText(measureOf(by), value)));
    const pin = () => tell("token", { group, run: 0, i, from: "table", pin: true });
    tr.onclick = pin;
    tr.onkeydown = (event) => { if (event.key === "Enter") pin(); };
    return tr;
  }

  function draw() {
    if (!data) return box.replaceChildren(el("p", "lm-why", "The tokens that moved most will be listed here."));
    if (!data.measures.includes(by)) by = ownOf(data);
    const values = data.runs[0].texts.map((_, i) => [i, valueOf(data.runs, 0, i, by)]).filter(([, v]) => v != null);
    values.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || a[0] - b[0]);
    const table = el("table", "lm-table"), head = el("tr"), top = el("thead"), body = el("tbody");
    const p = (run) => "p " + "₁₂"[run];
    for (const name of ["i", data.pieces ? "piece" : "token", p(0), p(1), measureOf(by).label + ", bits"]) head.append(el("th", "", name));
    top.append(head);
    body.append(...values.slice(0, MOST).map(([i, v]) => row(i, v)));
    table.append(top, body);
    box.replaceChildren(table);
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
