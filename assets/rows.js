// Rows of a table that can be typed into: the examples of a prompt, or its one query. Every change is
// told by the event `edit` with all rows. Needs common.js before it, and Gradio's element, props,
// watch and trigger.
const WAIT = 350; // milliseconds without a key before a change is told
let sheet = null, timer = 0;

function told(now) {
  clearTimeout(timer);
  const tell = () => trigger("edit", { rows: JSON.stringify(sheet.rows) });
  if (now) tell();
  else timer = setTimeout(tell, WAIT);
}

function grown(box) {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight + 2, 160) + "px";
}

function cell(row, column, number) {
  const name = column + (sheet.single ? "" : " of example " + (number + 1));
  if (column === sheet.answer && sheet.labels.length) return choice(row, column, name);
  const box = el("textarea", "lm-cell");
  box.rows = 1;
  box.value = row[column] || "";
  box.setAttribute("aria-label", name);
  if (sheet.single && column === sheet.answer) box.placeholder = "not known";
  box.oninput = () => { row[column] = box.value; grown(box); told(false); };
  return box;
}

function choice(row, column, name) {
  const box = el("select", "lm-cell");
  const shown = sheet.single ? ["", ...sheet.labels] : sheet.labels;
  for (const label of shown) {
    const option = el("option", "", label || "not known");
    option.value = label;
    box.append(option);
  }
  box.value = row[column] || "";
  box.setAttribute("aria-label", name);
  box.onchange = () => { row[column] = box.value; told(true); };
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
  const swap = (a, b) => { [rows[a], rows[b]] = [rows[b], rows[a]]; };
  box.append(
    tool("↑", `example ${number + 1} up`, () => swap(number, number - 1), number === 0),
    tool("↓", `example ${number + 1} down`, () => swap(number, number + 1), number === rows.length - 1),
    tool("×", `remove example ${number + 1}`, () => rows.splice(number, 1)),
  );
  return box;
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
    list.append(tool("+ example", "add an example", () => sheet.rows.push({}), sheet.rows.length >= 64));
  }
  for (const box of list.querySelectorAll("textarea")) grown(box);
}

function arrived() {
  try { sheet = JSON.parse(props.value); } catch { return; }
  clearTimeout(timer);
  draw();
}

arrived();
watch("value", arrived);
