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
    { key: "effective", name: "effective rank", factor: 1, what: "exp of the entropy of σ / Σσ" },
    { key: "stable", name: "stable rank", factor: 1, what: "‖ΔW‖² / σ₁²" },
  ];
  let map = null, shown = SHOWN[0], chosen = "";
  const part = (name) => element.querySelector(name);

  function digits(value) {
    if (value == null) return "–";
    const size = Math.abs(value);
    return size >= 100 ? count(Math.round(value)) : size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(1) : value.toPrecision(size >= 0.1 ? 2 : 1);
  }

  const scaled = (cell) => (cell[shown.key] == null ? null : cell[shown.key] * shown.factor);
  const most = () => Math.max(...map.cells.map((cell) => scaled(cell) ?? 0), 1e-12);

  function place(cell) {
    return cell.layer == null ? cell.name : "layer " + cell.layer + ", " + cell.kind;
  }

  // One line on a cell, for whoever looks at it or listens.
  function told(cell) {
    const said = [`${place(cell)}, ${cell.shape.map(count).join(" × ")}: ‖ΔW‖ ${(+cell.change.toPrecision(3))}`];
    if (cell.relative != null) said.push(`${(100 * cell.relative).toPrecision(3)} % of ‖W‖ ${+cell.norm.toPrecision(4)}`);
    if (cell.rank) said.push("ℓ = " + cell.rank);
    if (cell.effective != null) said.push(`effective rank ${cell.effective.toFixed(1)}, stable rank ${cell.stable.toFixed(1)}`);
    return said.join(" · ");
  }

  function button(cell, top) {
    const value = scaled(cell), box = el("button", "lm-mapcell", digits(value));
    const bin = value == null ? 0 : Math.min(LEVELS - 1, Math.floor((value / top) * (LEVELS - 0.001)));
    box.type = "button";
    box.classList.add("b" + bin);
    box.dataset.name = cell.name;
    box.setAttribute("aria-label", told(cell));
    box.setAttribute("aria-pressed", String(cell.name === chosen));
    box.tabIndex = cell.name === chosen ? 0 : -1;
    box.onclick = () => choose(cell.name);
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
    trigger("choose", { name });
  }

  function heading(kind) {
    const head = el("th"), cut = kind.replace(/\.(weight|bias)$/, "").lastIndexOf(".");
    head.scope = "col";
    // A name may go on in a new line after a dash, and nowhere else.
    const broken = (name) => name.replace(/_/g, "_\u200b");
    if (cut > 0) head.append(el("small", "", broken(kind.slice(0, cut))));
    head.append(el("span", "", broken(kind.slice(cut + 1))));
    return head;
  }

  function grid(top) {
    const table = el("table", "lm-maptable"), head = el("tr"), rows = el("tbody"), corner = el("th", "", "layer");
    corner.scope = "col";
    head.append(corner, ...map.kinds.map(heading));
    for (const layer of map.layers) {
      const row = el("tr"), name = el("th", "", String(layer));
      name.scope = "row";
      row.append(name);
      for (const kind of map.kinds) {
        const cell = map.cells.find((one) => one.layer === layer && one.kind === kind), box = el("td");
        if (cell) box.append(button(cell, top));
        row.append(box);
      }
      rows.append(row);
    }
    const caption = el("thead");
    caption.append(head);
    table.append(caption, rows);
    return table;
  }

  function outside(top) {
    const box = el("div", "lm-mapoutside");
    for (const cell of map.cells.filter((one) => one.layer == null)) {
      const one = el("div");
      one.append(el("span", "", cell.name), button(cell, top));
      box.append(one);
    }
    return box;
  }

  function legend(top) {
    const cells = el("span", "lm-cells");
    for (let i = 0; i < LEVELS; i++) {
      const text = i === 0 ? "0" : i === LEVELS - 1 ? digits(top) : i === 4 ? digits(top / 2) : " ";
      cells.append(el("i", "b" + i, text));
    }
    part(".lm-legend").replaceChildren(el("span", "lm-formula", shown.what), cells);
  }

  function choices() {
    const box = part(".lm-measures");
    if (box.childElementCount) return;
    for (const one of SHOWN) {
      const label = el("label"), input = el("input");
      input.type = "radio";
      input.name = "lm-changed";
      input.checked = one === shown;
      input.onchange = () => { shown = one; draw(); };
      label.append(input, el("span", "", one.name));
      box.append(label);
    }
  }

  function draw() {
    const there = !!map && map.cells.length > 0, top = there ? most() : 1, scroll = part(".lm-mapscroll");
    for (const name of [".lm-tools", ".lm-mapread", ".lm-mapscroll"]) part(name).hidden = !there;
    part(".lm-empty").hidden = there;
    emptied(part(".lm-empty"), map);
    scroll.replaceChildren();
    if (!there) return;
    choices();
    legend(top);
    if (map.layers.length) scroll.append(grid(top));
    if (map.cells.some((one) => one.layer == null)) scroll.append(outside(top));
    rest();
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
      if (along < 4) continue;
      const far = along + 3 * Math.abs((bx - x) * way[1] + (by - y) * way[0]);
      if (far < least) { least = far; best = box; }
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

  element.addEventListener("keydown", walk);
  arrived();
  watch("value", arrived);
}
