// What fine-tuning changed, layers × matrices: a grid of numbers on colours; one can be chosen.
import { emptied } from "./empty.js";
import { el } from "../../parts/web/dom.js";
import { count } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const LEVELS = 9;
  const SHOWN = [
    { key: "relative", name: "‖ΔW‖ / ‖W‖, %", factor: 100, what: "Frobenius norm of the change over that of the matrix" },
    { key: "change", name: "‖ΔW‖", factor: 1, what: "Frobenius norm of the change" },
    { key: "effective_rank", name: "effective rank", factor: 1, what: "exp of the entropy of σ / Σσ" },
    { key: "stable_rank", name: "stable rank", factor: 1, what: "‖ΔW‖² / σ₁²" },
  ];
  let map = null, shown = SHOWN[0], chosen = "";
  const part = (name) => element.querySelector(name);
  const scaled = (cell) => (cell[shown.key] == null ? null : cell[shown.key] * shown.factor);

  function digits(value) {
    if (value == null) return "–";
    const size = Math.abs(value);
    return size >= 100 ? count(Math.round(value)) : size >= 1 ? value.toFixed(1) : value.toPrecision(size >= 0.1 ? 2 : 1);
  }

  // One line on a cell, for whoever looks at it or listens.
  function told(cell) {
    const place = cell.layer == null ? cell.name : "layer " + cell.layer + ", " + cell.kind;
    const said = [`${place}, ${cell.shape.map(count).join(" × ")}: ‖ΔW‖ ${(+cell.change.toPrecision(3))}`];
    if (cell.relative != null) said.push(`${(100 * cell.relative).toPrecision(3)} % of ‖W‖ ${+cell.norm.toPrecision(4)}`);
    if (cell.rank) said.push("ℓ = " + cell.rank);
    if (cell.effective_rank != null) said.push(`effective rank ${cell.effective_rank.toFixed(1)}, stable rank ${cell.stable_rank.toFixed(1)}`);
    return said.join(" · ");
  }

  function button(cell, top) {
    const value = scaled(cell), bin = value == null ? 0 : Math.min(LEVELS - 1, Math.floor((value / top) * (LEVELS - 0.001)));
    const box = el("button", "lm-mapcell b" + bin, digits(value));
    box.type = "button";
    box.dataset.name = cell.name;
    box.setAttribute("aria-label", told(cell));
    box.onclick = () => { choose(cell.name); trigger("choose", { name: cell.name }); };
    box.onmouseenter = box.onfocus = () => { part(".lm-mapread").textContent = told(cell); };
    box.onmouseleave = box.onblur = rest;
    return box;
  }

  function rest() {
    const cell = map.cells.find((one) => one.name === chosen);
    part(".lm-mapread").textContent = cell ? told(cell) : "";
  }

  function choose(name) {
    chosen = name;
    for (const box of element.querySelectorAll(".lm-mapcell")) {
      const on = box.dataset.name === name;
      box.setAttribute("aria-pressed", String(on));
      box.tabIndex = on ? 0 : -1;
    }
    rest();
  }

  function heading(name, ...words) {
    const head = el("th", "", name);
    head.scope = words.length || name === "layer" ? "col" : "row";
    head.append(...words);
    return head;
  }

  function named(kind) {
    // A name may go on in a new line after a dash, and nowhere else.
    const cut = kind.replace(/\.(weight|bias)$/, "").lastIndexOf("."), broken = (name) => name.replace(/_/g, "_\u200b");
    const last = el("span", "", broken(kind.slice(cut + 1)));
    return cut > 0 ? heading("", el("small", "", broken(kind.slice(0, cut))), last) : heading("", last);
  }

  function grid(top) {
    const table = el("table", "lm-maptable"), rows = el("tbody");
    table.createTHead().insertRow().append(heading("layer"), ...map.kinds.map(named));
    table.append(rows);
    for (const layer of map.layers) {
      const row = rows.insertRow();
      row.append(heading(String(layer)));
      for (const kind of map.kinds) {
        const cell = map.cells.find((one) => one.layer === layer && one.kind === kind), box = row.insertCell();
        if (cell) box.append(button(cell, top));
      }
    }
    return table;
  }

  function outside(cells, top) {
    const box = el("div", "lm-mapoutside");
    for (const cell of cells) {
      const one = el("div");
      one.append(el("span", "", cell.name), button(cell, top));
      box.append(one);
    }
    return box;
  }

  function legend(top) {
    const cells = el("span", "lm-cells"), words = { 0: "0", 4: digits(top / 2), [LEVELS - 1]: digits(top) };
    for (let i = 0; i < LEVELS; i++) cells.append(el("i", "b" + i, words[i] ?? " "));
    part(".lm-legend").replaceChildren(el("span", "lm-formula", shown.what), cells);
  }

  function draw() {
    const there = map?.cells.length > 0, scroll = part(".lm-mapscroll");
    for (const name of [".lm-tools", ".lm-mapread", ".lm-mapscroll"]) part(name).hidden = !there;
    part(".lm-empty").hidden = there;
    emptied(part(".lm-empty"), map);
    scroll.replaceChildren();
    if (!there) return;
    const top = Math.max(...map.cells.map((cell) => scaled(cell) ?? 0), 1e-12), loose = map.cells.filter((one) => one.layer == null);
    legend(top);
    if (map.layers.length) scroll.append(grid(top));
    if (loose.length) scroll.append(outside(loose, top));
    choose(chosen);
  }

  // Arrow keys go to the nearest cell in their direction.
  function walk(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = event.target.closest?.(".lm-mapcell");
    if (!way || !from) return;
    event.preventDefault();
    const middle = (box) => { const r = box.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const box of element.querySelectorAll(".lm-mapcell")) {
      const [bx, by] = middle(box), along = (bx - x) * way[0] + (by - y) * way[1];
      const far = along + 3 * Math.abs((bx - x) * way[1] + (by - y) * way[0]);
      if (along >= 4 && far < least) { least = far; best = box; }
    }
    if (!best) return;
    from.tabIndex = -1;
    best.tabIndex = 0;
    best.focus();
  }

  function arrived() {
    try { map = props.value ? JSON.parse(props.value) : null; } catch { map = null; }
    chosen = map?.chosen || "";
    draw();
  }

  part(".lm-measures").append(...SHOWN.map((one) => {
    const label = el("label"), input = Object.assign(el("input"), { type: "radio", name: "lm-changed", checked: one === shown });
    input.onchange = () => { shown = one; draw(); };
    label.append(input, el("span", "", one.name));
    return label;
  }));
  element.addEventListener("keydown", walk);
  arrived();
  watch("value", arrived);
}
