// Rows of a table that can be typed into: the examples of a prompt, or its one query. Every change
// is told by the event `edit` with all rows.
import { button, el, onValue, put } from "../../parts/web/dom.js";

const WAIT = 350; // milliseconds without a key before a change is told
const MOST = 64;

function grown(box) {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight + 2, 160) + "px";
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const list = element.querySelector(".lm-rows");
  let sheet = null, timer = 0;

  function told(wait = 0) {
    clearTimeout(timer);
    const tell = () => { timer = 0; given.trigger("edit", { rows: JSON.stringify(sheet.rows) }); };
    if (wait) timer = setTimeout(tell, wait);
    else tell();
  }

  // A row that was typed into is the visitor's own: it stays when others are drawn.
  function own(number) {
    if (sheet.single) return;
    sheet.kept[number] = true;
    mark();
  }

  function mark() {
    element.querySelectorAll(".lm-rownumber").forEach((node, i) => {
      node.classList.toggle("own", !!sheet.kept[i]);
      node.title = sheet.kept[i] ? "typed or chosen by hand: it stays when shots or seed change" : "drawn by seed";
    });
    const note = element.querySelector(".lm-own"), n = sheet.kept.filter(Boolean).length;
    note.hidden = !n;
    note.firstChild.textContent = n === 1 ? "1 example is yours; it stays when shots or seed change. " : `${n} examples are yours; they stay when shots or seed change. `;
  }

  function cell(row, column, number) {
    const answers = column === sheet.answer, name = column + (sheet.single ? "" : " of example " + (number + 1));
    const chosen = answers && sheet.labels.length, box = el(chosen ? "select" : "textarea", "lm-cell");
    box.setAttribute("aria-label", name);
    if (chosen) {
      const labels = sheet.single ? ["", ...sheet.labels] : sheet.labels;
      box.append(...labels.map((value) => put(el("option", "", value || "not known"), { value })));
      box.onchange = () => { row[column] = box.value; own(number); told(); };
    } else {
      put(box, { rows: 1, placeholder: sheet.single && answers ? "not known" : "" });
      box.oninput = () => { row[column] = box.value; grown(box); own(number); told(WAIT); };
      box.onblur = () => { if (timer) told(); };
    }
    box.value = row[column] || "";
    return box;
  }

  const tool = (text, title, act, disabled = false) =>
    button("lm-tool", text, () => { act(); draw(); told(); }, { title, "aria-label": title, disabled });

  function tools(number) {
    const { rows, kept } = sheet;
    const swap = (a, b) => { for (const list of [rows, kept]) [list[a], list[b]] = [list[b], list[a]]; };
    return el("div", "lm-rowtools",
      tool("↑", `example ${number + 1} up`, () => swap(number, number - 1), number === 0),
      tool("↓", `example ${number + 1} down`, () => swap(number, number + 1), number === rows.length - 1),
      tool("×", `remove example ${number + 1}`, () => { rows.splice(number, 1); kept.splice(number, 1); }));
  }

  function line(row, number) {
    const fields = sheet.columns.map((column) => {
      const answers = column === sheet.answer, name = answers && sheet.single ? column + ", if known" : column;
      return el("label", "lm-field" + (answers ? " answer" : ""), el("span", "", name), cell(row, column, number));
    });
    return sheet.single ? el("div", "lm-row", ...fields) : el("div", "lm-row", el("span", "lm-rownumber", number + 1), ...fields, tools(number));
  }

  function draw() {
    list.classList.toggle("single", sheet.single);
    list.replaceChildren(...sheet.rows.map(line));
    if (!sheet.single) {
      if (!sheet.rows.length) list.append(el("p", "lm-why", "No example: zero-shot."));
      // What stays, and the way to be rid of it.
      const yours = el("p", "lm-own", el("span"), button("lm-tool", "draw all anew", () => given.trigger("anew", {})));
      list.append(tool("+ example", "add an example", () => { sheet.rows.push({}); sheet.kept.push(true); }, sheet.rows.length >= MOST), yours);
      mark();
    }
    for (const box of list.querySelectorAll("textarea")) grown(box);
  }

  onValue(given, (value) => {
    if (!value) return;
    sheet = value;
    clearTimeout(timer);
    timer = 0;
    draw();
  });
}
