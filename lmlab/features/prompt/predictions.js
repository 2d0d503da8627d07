// Every prediction of a study: filtered to the wrong ones, made as they are scrolled to; a click
// asks for that query by the event `choose`.
import { asking, el, onValue, put } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";

const CHUNK = 100;

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const body = element.querySelector("tbody"), scroller = element.querySelector(".lm-scroll"), wrong = element.querySelector("input");
  let data = null, shown = [], made = 0;

  function line({ design, row, query, truth, answer, reason, correct, nll }) {
    const tr = el("tr", correct ? "" : "wrong", el("td", "", design), el("td", "", row), put(el("td", "query", visible(query)), { dir: "auto", title: query }),
      put(el("td", "words", truth), { dir: "auto" }), put(el("td", "words", answer ?? "–"), { dir: "auto", title: reason || "" }),
      el("td", "", correct ? "✓" : "✗"), el("td", "", fixed(nll, 2)));
    return asking(tr, () => given.trigger("choose", { row }));
  }

  function more() {
    body.append(...shown.slice(made, made + CHUNK).map(line));
    made = Math.min(shown.length, made + CHUNK);
  }

  function filter() {
    shown = data.rows.filter((row) => !wrong.checked || !row.correct);
    made = 0;
    body.replaceChildren();
    element.querySelector(".lm-count").textContent = `${count(shown.length)} of ${count(data.total)} predictions`;
    more();
  }

  wrong.onchange = filter;
  scroller.addEventListener("scroll", () => {
    if (scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 300) more();
  });
  onValue(given, (value) => {
    data = value;
    element.querySelector(".lm-predictions").hidden = !data;
    if (data) filter();
  });
}
