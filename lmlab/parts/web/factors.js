// The table of factors: one row for each token of what its group shows. Rows are made as they are
// scrolled to.
import { el, onTold, tell } from "./dom.js";
import { count, label } from "./format.js";
import { level, valueOf, valueText } from "./measures.js";
import { KEY } from "../../made.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props }) {
  const group = props.group;
  const CHUNK = 150;
  const body = element.querySelector("tbody"), scroller = element.querySelector(".lm-scroll");
  let data = null, made = 0, columns = [];

  function cell(text, kind) {
    return el("td", kind || "", text);
  }

  function row(i) {
    const run = data.runs[0], tr = el("tr"), name = cell(label(run.texts[i]), "tok");
    name.dir = "auto";
    tr.append(cell(count(i + 1)), name, ...columns.map((m) => {
      const value = valueOf(data.runs, 0, i, m.key), made = cell(valueText(m, value));
      if (m.key !== "surprisal") return made;
      if (value == null) made.textContent = "not scored";
      else made.append(el("i", "chip b" + level(value, m.key)));
      return made;
    }));
    tr.dataset.i = i;
    return tr;
  }

  function more(upTo) {
    const total = data ? data.runs[0].texts.length : 0, end = Math.min(total, Math.max(made + CHUNK, upTo || 0));
    const part = document.createDocumentFragment();
    for (; made < end; made++) part.append(row(made));
    body.append(part);
  }

  function draw(value) {
    data = value;
    made = 0;
    body.replaceChildren();
    columns = KEY.measures.filter((m) => !data || data.measures.includes(m.key)).filter((m) => data || !m.pair);
    element.querySelector("thead tr").replaceChildren(...["i", "token"].map((name) => el("th", "", name)), ...columns.map((m) => {
      const head = el("th", "", m.short + (m.unit ? ", " + m.unit : ""));
      head.title = m.about;
      return head;
    }));
    if (data) more();
  }

  scroller.addEventListener("scroll", () => {
    if (data && scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 400) more();
  });
  body.addEventListener("pointerover", (e) => {
    const tr = e.target.closest("tr");
    if (tr) tell("token", { group, run: 0, i: +tr.dataset.i, from: "table" });
  });
  body.addEventListener("pointerleave", () => tell("token", { group, i: -1, from: "table" }));
  body.addEventListener("click", (e) => {
    const tr = e.target.closest("tr");
    if (tr) tell("token", { group, run: 0, i: +tr.dataset.i, from: "table", pin: true });
  });
  onTold(element, "shown", (told) => { if (told.group === group) draw(told.data); });
  onTold(element, "token", (told) => {
    if (told.group !== group || told.from === "table" || told.run > 0) return;
    for (const old of body.querySelectorAll(".on")) old.classList.remove("on");
    if (told.i >= 0 && told.i < made) body.children[told.i].classList.add("on");
  });
  draw(window.lmlab.shown[group] || null);
}
