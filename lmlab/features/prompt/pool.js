// Rows to choose examples from. A click on one adds it, or takes it back, by the event `take`; what
// is typed is sought by the event `seek`.
import { el } from "../../parts/web/dom.js";
import { count, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const WAIT = 250; // milliseconds without a key before it is sought
  const body = element.querySelector("tbody"), box = element.querySelector("input"), said = element.querySelector(".lm-count");
  let timer = 0;

  function line(row) {
    const tr = el("tr", row.on ? "on" : "");
    const button = el("button", "lm-tool", row.on ? "✓" : "+");
    button.type = "button";
    button.setAttribute("aria-pressed", String(row.on));
    button.setAttribute("aria-label", `row ${row.n} as an example`);
    const first = el("td");
    first.append(button);
    tr.append(first, el("td", "", count(row.n)));
    for (const text of row.cells) {
      const td = el("td", "words", visible(text));
      td.dir = "auto";
      td.title = text;
      tr.append(td);
    }
    tr.onclick = () => trigger("take", { row: row.n });
    return tr;
  }

  function draw() {
    let data = null;
    try { data = JSON.parse(props.value); } catch { data = { rows: [], found: 0, total: 0 }; }
    body.replaceChildren(...data.rows.map(line));
    const shown = data.rows.length < data.found ? `the first ${data.rows.length} of ` : "";
    said.textContent = data.total ? `${shown}${count(data.found)} of ${count(data.total)} rows` : "No rows to choose from.";
  }

  box.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => trigger("seek", { text: box.value }), WAIT);
  };
  box.onkeydown = (event) => event.stopPropagation();
  draw();
  watch("value", draw);
}
