// Every prediction of a study: filtered to the wrong ones, made as they are scrolled to; a click
// asks for that query by the event `choose`.
import { el } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const CHUNK = 100;
  const body = element.querySelector("tbody"), scroller = element.querySelector(".lm-scroll");
  const wrong = element.querySelector("input"), said = element.querySelector(".lm-count");
  let data = null, shown = [], made = 0;

  function line(row) {
    const tr = el("tr", row.correct ? "" : "wrong");
    const cells = [row.design, String(row.row), row.query, row.truth, row.answer == null ? "–" : row.answer, row.correct ? "✓" : "✗", fixed(row.nll, 2)];
    cells.forEach((text, i) => {
      const td = el("td", i === 2 ? "query" : i === 3 || i === 4 ? "words" : "", i === 2 ? visible(text) : text);
      if (i === 2) td.title = text;
      if (i === 4 && row.reason) td.title = row.reason;
      if (i >= 2 && i <= 4) td.dir = "auto";
      tr.append(td);
    });
    const load = () => trigger("choose", { row: row.row });
    tr.tabIndex = 0;
    tr.onclick = load;
    tr.onkeydown = (event) => { if (event.key === "Enter") load(); };
    return tr;
  }

  function more() {
    const part = document.createDocumentFragment();
    for (const end = Math.min(shown.length, made + CHUNK); made < end; made++) part.append(line(shown[made]));
    body.append(part);
  }

  function filter() {
    shown = data ? data.rows.filter((row) => !wrong.checked || !row.correct) : [];
    made = 0;
    body.replaceChildren();
    said.textContent = data ? `${count(shown.length)} of ${count(data.total)} predictions` : "";
    more();
  }

  function draw() {
    try { data = JSON.parse(props.value); } catch { data = null; }
    element.querySelector(".lm-predictions").hidden = !data;
    if (data) filter();
  }

  wrong.onchange = filter;
  scroller.addEventListener("scroll", () => {
    if (scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 300) more();
  });
  draw();
  watch("value", draw);
}
