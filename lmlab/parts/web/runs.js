// All runs of this browser: a table to choose from, and what was chosen as curves over one another.
import { newAxis, newChart, redraw } from "./chart.js";
import { button, cells, el, onValue, partsOf, put } from "./dom.js";

const inkOf = (i) => "--lm-c" + (i % 8);
const COLUMNS = [
  ["trainable", "learn"], ["steps", "steps"], ["valid", "held-out loss"], ["accuracy", "right"], ["forgetting", "forgetting"], ["seconds", "seconds"],
];
const CURVES = { valid: ["held-out loss", "nats a token"], loss: ["train loss", "nats a token, smoothed"], probe: ["loss on general text", "nats a token"] };

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const { trigger } = given, parts = partsOf(element, ".lm-runs-", "table", "curves", "empty", "tools"), axis = newAxis();
  let data = { rows: [], chosen: [], curves: {} }, shown = "valid", chart = null;
  // The run whose deletion was asked for once; a table that is drawn anew meanwhile still knows.
  let sure = "", unsure = 0;

  function tick(row) {
    const at = data.chosen.indexOf(row.id), swatch = el("i", "lm-ink"), box = put(el("input"), { type: "checkbox", checked: at >= 0, "aria-label": "compare " + row.name });
    box.onchange = () => {
      data.chosen = data.rows.map((r) => r.id).filter((id) => (id === row.id ? box.checked : data.chosen.includes(id)));
      trigger("pick", { ids: data.chosen.join(" ") });
    };
    if (at >= 0) swatch.style.background = `var(${inkOf(at)})`;
    return el("td", "pick", box, swatch);
  }

  function show(row) {
    const title = "Show " + row.name + " above";
    return button("lm-tool", "Show", () => trigger("reopen", { id: row.id }), { title, "aria-label": title });
  }

  // Asked twice: what is deleted is gone.
  function remove(row) {
    const act = () => {
      clearTimeout(unsure);
      if (sure === row.id) { sure = ""; return trigger("drop", { id: row.id }); }
      sure = row.id;
      unsure = setTimeout(() => { sure = ""; table(); }, 4000);
      table();
      parts.table.querySelector(`[data-run="${CSS.escape(row.id)}"]`)?.focus();
    };
    const made = button("lm-tool", sure === row.id ? "Sure?" : "Delete", act, { "aria-label": "Delete " + row.name });
    made.dataset.run = row.id;
    return made;
  }

  function table() {
    // What no run has is no column.
    const columns = COLUMNS.filter(([key]) => !["accuracy", "forgetting"].includes(key) || data.rows.some((row) => row[key] !== "–"));
    const lines = data.rows.map((row) => el("tr", row.current ? "on" : "", tick(row), put(el("td", "words", row.name), { title: row.about }), el("td", "words", row.state),
      ...cells(columns.map(([key]) => row[key])), el("td", "tools", show(row), remove(row))));
    const heads = ["", "run", "", ...columns.map(([, name]) => name), ""].map((name) => el(name ? "th" : "td", "", name));
    parts.table.replaceChildren(el("table", "lm-table lm-runtable", el("thead", "", el("tr", "", ...heads)), el("tbody", "", ...lines)));
  }

  function curves() {
    const lines = data.chosen.map((id, i) => ({
      key: id, name: data.rows.find((r) => r.id === id)?.name ?? id, kind: shown === "loss" ? "line" : "dots", ink: inkOf(i),
    })).filter(({ key }) => data.curves[key]);
    parts.curves.hidden = !lines.length;
    axis.series = Object.fromEntries(lines.map(({ key }) => { const [x, y] = data.curves[key][shown]; return [key, { x, y }]; }));
    axis.total = Math.max(1, ...Object.values(axis.series).map(({ x }) => x[x.length - 1] || 1));
    const [name, unit] = CURVES[shown];
    if (!chart) {
      chart = newChart(axis, { name, unit, lines });
      chart.figure.classList.add("big");
      parts.curves.append(chart.figure);
    }
    Object.assign(chart.spec, { name, unit, lines });
    redraw(axis);
  }

  for (const input of parts.tools.querySelectorAll("input")) {
    input.onchange = () => { shown = input.value; axis.from = axis.to = null; curves(); };
  }
  onValue(given, (value) => {
    if (!value) return;
    data = value;
    parts.empty.hidden = data.rows.length > 0;
    parts.table.hidden = parts.tools.hidden = !data.rows.length;
    table();
    curves();
  });
}
