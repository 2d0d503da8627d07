// Rows of a table that can be typed into: the examples of a prompt, or its one query. Every change
// is told by the event `edit` with all rows.
import { el } from "../../parts/web/dom.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const WAIT = 350; // milliseconds without a key before a change is told
  let sheet = null, timer = 0;

  function told(now) {
    clearTimeout(timer);
    const tell = () => { timer = 0; trigger("edit", { rows: JSON.stringify(sheet.rows) }); };
    if (now) tell();
    else timer = setTimeout(tell, WAIT);
  }

  // A row that was typed into is the visitor's own: it stays when others are drawn.
  function own(number) {
    if (sheet.single) return;
    sheet.kept[number] = true;
    mark();
  }

  function mark() {
    const numbers = element.querySelectorAll(".lm-rownumber"), n = sheet.kept.filter(Boolean).length;
    numbers.forEach((node, i) => {
      node.classList.toggle("own", !!sheet.kept[i]);
      node.title = sheet.kept[i] ? "typed or chosen by hand: it stays when shots or seed change" : "drawn by seed";
    });
    const note = element.querySelector(".lm-own");
    note.hidden = !n;
    note.firstChild.textContent = n === 1 ? "1 example is yours; it stays when shots or seed change. " : `${n} examples are yours; they stay when shots or seed change. `;
  }

  function grown(box) {
    box.style.height = "auto";
    box.style.height = Math.min(box.scrollHeight + 2, 160) + "px";
  }

  function cell(row, column, number) {
    const name = column + (sheet.single ? "" : " of example " + (number + 1));
    if (column === sheet.answer && sheet.labels.length) return choice(row, column, name, number);
    const box = el("textarea", "lm-cell");
    box.rows = 1;
    box.value = row[column] || "";
    box.setAttribute("aria-label", name);
    if (sheet.single && column === sheet.answer) box.placeholder = "not known";
    box.oninput = () => { row[column] = box.value; grown(box); own(number); told(false); };
    box.onblur = () => { if (timer) told(true); };
    return box;
  }

  function choice(row, column, name, number) {
    const box = el("select", "lm-cell");
    const shown = sheet.single ? ["", ...sheet.labels] : sheet.labels;
    for (const label of shown) {
      const option = el("option", "", label || "not known");
      option.value = label;
      box.append(option);
    }
    box.value = row[column] || "";
    box.setAttribute("aria-label", name);
    box.onchange = () => { row[column] = box.value; own(number); told(true); };
    return box;
  }

  function tool(text, title, act, off) {
    const button = el("button", "lm-tool", text);
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    button.disabled = !!off;
    button.onclick = () => { act(); draw(); told(true); };
    return button;
  }

  function tools(number) {
    const rows = sheet.rows, box = el("div", "lm-rowtools");
    const swap = (a, b) => {
      for (const list of [rows, sheet.kept]) [list[a], list[b]] = [list[b], list[a]];
    };
    box.append(
      tool("↑", `example ${number + 1} up`, () => swap(number, number - 1), number === 0),
      tool("↓", `example ${number + 1} down`, () => swap(number, number + 1), number === rows.length - 1),
      tool("×", `remove example ${number + 1}`, () => { rows.splice(number, 1); sheet.kept.splice(number, 1); }),
    );
    return box;
  }

  // What stays, and the way to be rid of it.
  function yours() {
    const note = el("p", "lm-own"), anew = el("button", "lm-tool", "draw all anew");
    anew.type = "button";
    anew.onclick = () => trigger("anew", {});
    note.append(el("span"), anew);
    return note;
  }

  function draw() {
    const list = element.querySelector(".lm-rows");
    list.replaceChildren();
    list.classList.toggle("single", sheet.single);
    sheet.rows.forEach((row, number) => {
      const line = el("div", "lm-row");
      if (!sheet.single) line.append(el("span", "lm-rownumber", String(number + 1)));
      for (const column of sheet.columns) {
        const part = el("label", "lm-field" + (column === sheet.answer ? " answer" : ""));
        part.append(el("span", "", column === sheet.answer && sheet.single ? column + ", if known" : column), cell(row, column, number));
        line.append(part);
      }
      if (!sheet.single) line.append(tools(number));
      list.append(line);
    });
    if (!sheet.single) {
      if (!sheet.rows.length) list.append(el("p", "lm-why", "No example: zero-shot."));
      list.append(tool("+ example", "add an example", () => { sheet.rows.push({}); sheet.kept.push(true); }, sheet.rows.length >= 64), yours());
      mark();
    }
    for (const box of list.querySelectorAll("textarea")) grown(box);
  }

  function arrived() {
    try { sheet = JSON.parse(props.value); } catch { return; }
    clearTimeout(timer);
    timer = 0;
    draw();
  }

  arrived();
  watch("value", arrived);
}
