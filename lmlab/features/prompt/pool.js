// Rows to choose examples from. A click on one adds it, or takes it back, by the event `take`; what
// is typed is sought by the event `seek`.
import { button, el, onValue, put } from "../../parts/web/dom.js";
import { count, visible } from "../../parts/web/format.js";

const WAIT = 250; // milliseconds without a key before it is sought

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const box = element.querySelector("input");
  let timer = 0;

  function line(row) {
    const tick = button("lm-tool", row.on ? "✓" : "+", null, { "aria-pressed": String(row.on), "aria-label": `row ${row.n} as an example` });
    const cells = row.cells.map((text) => put(el("td", "words", visible(text)), { dir: "auto", title: text }));
    return put(el("tr", row.on ? "on" : "", el("td", "", tick), el("td", "", count(row.n)), ...cells), { onclick: () => given.trigger("take", { row: row.n }) });
  }

  box.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => given.trigger("seek", { text: box.value }), WAIT);
  };
  box.onkeydown = (event) => event.stopPropagation();
  onValue(given, (value) => {
    const { rows, found, total } = value || { rows: [], found: 0, total: 0 };
    element.querySelector("tbody").replaceChildren(...rows.map(line));
    const shown = rows.length < found ? `the first ${rows.length} of ` : "";
    element.querySelector(".lm-count").textContent = total ? `${shown}${count(found)} of ${count(total)} rows` : "No rows to choose from.";
  });
}
