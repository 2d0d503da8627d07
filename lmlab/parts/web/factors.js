// The table of factors: one row for each token of what its group shows. Rows are made as they are
// scrolled to.
import { KEY } from "../../made.js";
import { el, onTold, put, tell } from "./dom.js";
import { count, label } from "./format.js";
import { level, valueOf, valueText } from "./measures.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props: { group } }) {
  const CHUNK = 150;
  const body = element.querySelector("tbody"), scroller = element.querySelector(".lm-scroll");
  let data = null, made = 0, columns = [];

  function factor(m, value) {
    if (m.key !== "surprisal") return el("td", "", valueText(m, value));
    return value == null ? el("td", "", "not scored") : el("td", "", valueText(m, value), el("i", "chip b" + level(value, m.key)));
  }

  function row(i) {
    const name = put(el("td", "tok", label(data.runs[0].texts[i])), { dir: "auto" });
    const tr = el("tr", "", el("td", "", count(i + 1)), name, ...columns.map((m) => factor(m, valueOf(data.runs, 0, i, m.key))));
    tr.dataset.i = i;
    return tr;
  }

  function more() {
    const end = Math.min(data.runs[0].texts.length, made + CHUNK), rows = [];
    for (; made < end; made++) rows.push(row(made));
    body.append(...rows);
  }

  function draw(value) {
    data = value;
    made = 0;
    body.replaceChildren();
    columns = KEY.measures.filter((m) => (data ? data.measures.includes(m.key) : !m.pair));
    element.querySelector("thead tr").replaceChildren(el("th", "", "i"), el("th", "", "token"),
      ...columns.map((m) => put(el("th", "", m.short + (m.unit ? ", " + m.unit : "")), { title: m.about })));
    if (data) more();
  }

  const told = (event, more = {}) => {
    const tr = event.target.closest("tr");
    if (tr) tell("token", { group, run: 0, i: +tr.dataset.i, from: "table", ...more });
  };
  scroller.addEventListener("scroll", () => {
    if (data && scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 400) more();
  });
  body.addEventListener("pointerover", (event) => told(event));
  body.addEventListener("pointerleave", () => tell("token", { group, i: -1, from: "table" }));
  body.addEventListener("click", (event) => told(event, { pin: true }));
  onTold(element, "shown", (told) => { if (told.group === group) draw(told.data); });
  onTold(element, "token", (told) => {
    if (told.group !== group || told.from === "table" || told.run > 0) return;
    for (const old of body.querySelectorAll(".on")) old.classList.remove("on");
    if (told.i >= 0 && told.i < made) body.children[told.i].classList.add("on");
  });
  draw(window.lmlab.shown[group] || null);
}
