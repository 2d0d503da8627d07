// All runs of this browser: a table to choose from, and what was chosen as curves over one another.
import { newAxis, newChart, redraw } from "./chart.js";
import { el } from "./dom.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const INKS = ["--lm-c0", "--lm-c1", "--lm-c2", "--lm-c3", "--lm-c4", "--lm-c5", "--lm-c6", "--lm-c7"];
  const COLUMNS = [
    ["run", "run"], ["state", ""], ["trainable", "learn"], ["steps", "steps"], ["valid", "held-out loss"], ["accuracy", "right"],
    ["forgetting", "forgetting"], ["seconds", "seconds"],
  ];
  const parts = Object.fromEntries(["table", "curves", "empty", "tools"].map((name) => [name, element.querySelector(".lm-runs-" + name)]));
  const axis = newAxis();
  let data = { rows: [], chosen: [], curves: {}, shown: "valid" }, chart = null;

  function tick(row) {
    const cell = el("td", "pick"), box = el("input");
    box.type = "checkbox";
    box.checked = data.chosen.includes(row.id);
    box.setAttribute("aria-label", "compare " + row.name);
    box.onchange = () => {
      const ids = new Set(data.chosen);
      if (box.checked) ids.add(row.id);
      else ids.delete(row.id);
      data.chosen = data.rows.map((r) => r.id).filter((id) => ids.has(id));
      trigger("pick", { ids: data.chosen.join(" ") });
    };
    const at = data.chosen.indexOf(row.id), swatch = el("i", "lm-ink");
    if (at >= 0) swatch.style.background = `var(${INKS[at % INKS.length]})`;
    cell.append(box, swatch);
    return cell;
  }

  function act(text, name, title, id) {
    const button = el("button", "lm-tool", text);
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    button.onclick = () => trigger(name, { id });
    return button;
  }

  // The run whose deletion was asked for once; a table that is drawn anew meanwhile still knows.
  let sure = "", unsure = 0;

  function remove(row) {
    const button = el("button", "lm-tool", sure === row.id ? "Sure?" : "Delete");
    button.type = "button";
    button.setAttribute("aria-label", "Delete " + row.name);
    button.dataset.run = row.id;
    // Asked twice: what is deleted is gone.
    button.onclick = () => {
      clearTimeout(unsure);
      if (sure === row.id) { sure = ""; return trigger("drop", { id: row.id }); }
      sure = row.id;
      unsure = setTimeout(() => { sure = ""; table(); }, 4000);
      table();
      parts.table.querySelector(`[data-run="${CSS.escape(row.id)}"]`)?.focus();
    };
    return button;
  }

  function line(row) {
    const tr = el("tr", row.current ? "on" : ""), tools = el("td", "tools");
    const name = el("td", "words", row.name);
    name.title = row.about;
    tools.append(act("Show", "reopen", "Show " + row.name + " above", row.id), remove(row));
    tr.append(tick(row), name, el("td", "words", row.state), ...columns().slice(2).map(([key]) => el("td", "", row[key])), tools);
    return tr;
  }

  // What no run has is no column.
  function columns() {
    return COLUMNS.filter(([key]) => !["accuracy", "forgetting"].includes(key) || data.rows.some((row) => row[key] !== "–"));
  }

  function table() {
    const whole = el("table", "lm-table lm-runtable"), head = el("tr"), top = el("thead"), body = el("tbody");
    head.append(...["", ...columns().map(([, name]) => name), ""].map((name) => el(name ? "th" : "td", "", name)));
    top.append(head);
    body.append(...data.rows.map(line));
    whole.append(top, body);
    parts.table.replaceChildren(whole);
  }

  function curves() {
    const lines = data.chosen.filter((id) => data.curves[id]).map((id) => {
      const at = data.chosen.indexOf(id), row = data.rows.find((r) => r.id === id);
      return { key: id, name: row ? row.name : id, kind: data.shown === "loss" ? "line" : "dots", ink: INKS[at % INKS.length] };
    });
    parts.curves.hidden = !lines.length;
    axis.series = {};
    axis.total = 1;
    for (const { key } of lines) {
      const [x, y] = data.curves[key][data.shown];
      axis.series[key] = { x, y };
      axis.total = Math.max(axis.total, x[x.length - 1] || 1);
    }
    const names = { valid: ["held-out loss", "nats a token"], loss: ["train loss", "nats a token, smoothed"], probe: ["loss on general text", "nats a token"] };
    const [name, unit] = names[data.shown];
    if (!chart) {
      chart = newChart(axis, { name, unit, lines });
      chart.figure.classList.add("big");
      parts.curves.append(chart.figure);
    }
    Object.assign(chart.spec, { name, unit, lines });
    redraw(axis);
  }

  function draw() {
    const shown = data.shown;
    try { data = { ...JSON.parse(props.value), shown }; } catch { return; }
    parts.empty.hidden = data.rows.length > 0;
    parts.table.hidden = parts.tools.hidden = !data.rows.length;
    table();
    curves();
  }

  for (const input of parts.tools.querySelectorAll("input")) {
    input.onchange = () => { data.shown = input.value; axis.from = axis.to = null; curves(); };
  }
  draw();
  watch("value", draw);
}
