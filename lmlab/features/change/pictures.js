// W; and ΔW with V on its left and U above it, as the product is written, at true proportions. A
// matrix of one byte an entry comes in base64.
import { el, onTold } from "../../parts/web/dom.js";
import { count, minus } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const TALLEST = 440, LEAST = 2, READABLE = 9;
  let shown = null, asked = 0;
  const part = (name) => element.querySelector(name);
  const stretch = part(".lm-stretch input");

  // The colour of −127 … 127; by the square root, as most entries are far below the largest.
  function table() {
    const style = getComputedStyle(document.body), found = new Uint8ClampedArray(256 * 4);
    const colours = Array.from({ length: 9 }, (_, i) => [1, 3, 5].map((at) => parseInt(style.getPropertyValue("--d" + i).trim().slice(at, at + 2), 16)));
    for (let level = -128; level < 128; level++) {
      const at = (Math.sign(level) * Math.sqrt(Math.min(1, Math.abs(level) / 127)) + 1) * 4, low = Math.min(7, Math.floor(at));
      const mixed = colours[low].map((from, c) => from + (colours[low + 1][c] - from) * (at - low));
      found.set([...mixed, 255], (level & 255) * 4);
    }
    return found;
  }

  function paint(canvas, picture, colours) {
    canvas.width = picture.columns;
    canvas.height = picture.rows;
    const pen = canvas.getContext("2d"), image = pen.createImageData(picture.columns, picture.rows);
    const inks = new Uint32Array(colours.buffer), drawn = new Uint32Array(image.data.buffer);
    picture.bytes.forEach((level, i) => { drawn[i] = inks[level & 255]; });
    pen.putImageData(image, 0, 0);
  }

  function read(picture, row, column) {
    const [d, k] = picture.shape, value = (picture.bytes[row * picture.columns + column] / 127) * picture.largest;
    const i = Math.floor((row * d) / picture.rows), j = Math.floor((column * k) / picture.columns);
    const near = picture.rows < d || picture.columns < k ? " (largest of its block)" : "";
    part(".lm-pictureread").textContent = `${picture.letter}[${count(i + 1)}, ${count(j + 1)}] ≈ ${minus(String(+value.toPrecision(2)))}${near}`;
  }

  function canvasOf(picture, width, height) {
    const canvas = Object.assign(el("canvas"), { tabIndex: 0, role: "img", onmouseleave: rest, onblur: rest });
    Object.assign(canvas.style, { width: Math.max(LEAST, width) + "px", height: Math.max(LEAST, height) + "px" });
    canvas.setAttribute("aria-label", `${picture.letter}, ${picture.shape.map(count).join(" by ")}, entries up to ${+picture.largest.toPrecision(2)} in size; arrow keys read them`);
    let at = [0, 0];
    const go = (row, column) => {
      at = [Math.max(0, Math.min(picture.rows - 1, row)), Math.max(0, Math.min(picture.columns - 1, column))];
      read(picture, ...at);
    };
    canvas.onmousemove = (event) => {
      const box = canvas.getBoundingClientRect();
      go(Math.floor(((event.clientY - box.top) / box.height) * picture.rows), Math.floor(((event.clientX - box.left) / box.width) * picture.columns));
    };
    canvas.onfocus = () => go(...at);
    canvas.onkeydown = (event) => {
      const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!way) return;
      event.preventDefault();
      const far = event.shiftKey ? 10 : 1;
      go(at[0] + way[0] * far, at[1] + way[1] * far);
    };
    return canvas;
  }

  function labelled(picture, width, height, colours, upright) {
    const box = el("figure", "lm-picture" + (upright ? " upright" : "")), canvas = canvasOf(picture, width, height), name = el("figcaption");
    paint(canvas, picture, colours);
    name.append(el("b", "", picture.letter), el("span", "", " " + picture.shape.map(count).join(" × ")));
    box.append(name, canvas);
    return box;
  }

  function rest() {
    if (!shown) { part(".lm-pictureread").textContent = ""; return; }
    const { delta, v } = shown, said = v
      ? `ΔW = V · U: ${count(delta.shape[0] * delta.shape[1])} numbers made of ${count(v.shape[1] * (delta.shape[0] + delta.shape[1]))}. Its scale α is within V. Point at an entry to read it.`
      : "Point at an entry to read it.";
    part(".lm-pictureread").textContent = said;
  }

  function legend() {
    const cells = el("span", "lm-cells");
    const names = { 0: "− largest", 4: "0", 8: "+ largest", 2: "− ¼", 6: "+ ¼" };
    for (let i = 0; i < 9; i++) cells.append(el("i", "d" + i, names[i] || " "));
    const most = ["w", "delta", "v", "u"].filter((name) => shown[name]).map((name) => `${shown[name].letter} ${+shown[name].largest.toPrecision(2)}`);
    part(".lm-legend").replaceChildren(el("span", "", "largest entry: " + most.join(", ")), cells);
  }

  function draw() {
    const row = part(".lm-picturerow");
    part(".lm-tools").hidden = !shown;
    part(".lm-empty").hidden = !!shown;
    part(".lm-stretch").hidden = !shown?.v;
    row.replaceChildren();
    if (!shown) return rest();
    const { w, delta, v, u } = shown, [d, k] = delta.shape, rank = v ? v.shape[1] : 0;
    const room = Math.max(160, row.clientWidth - 8), beside = (v ? 34 : 0) + 8;
    // Side by side where both are large enough to be seen that way.
    const two = (room - 60 - beside) / (2 * k + rank), one = (room - beside) / (k + rank), high = TALLEST / (d + rank);
    const scale = Math.min(Math.min(two, high) > 0.55 * Math.min(one, high) ? two : one, high, 3);
    const thick = stretch.checked ? Math.max(scale * rank, Math.min(READABLE * rank, room / 5)) : scale * rank;
    const inner = stretch.checked ? Math.min(scale, (room - thick - beside) / k) : scale;
    const colours = table(), tall = d === 1 ? 18 : d * inner, box = el("div", "lm-picturebox" + (v ? " product" : ""));
    if (v) {
      box.append(el("span"), labelled(u, k * inner, thick, colours));
      box.append(labelled(v, thick, tall, colours, true));
    }
    box.append(labelled(delta, k * inner, tall, colours));
    const own = el("div", "lm-picturebox");
    own.append(labelled(w, k * inner, tall, colours));
    row.append(own, el("span", "plus", "+"), box);
    // Where they do not stand side by side, each is a line of its own.
    row.classList.remove("stacked");
    row.classList.toggle("stacked", box.getBoundingClientRect().left < own.getBoundingClientRect().right);
    legend();
    rest();
  }

  function arrived() {
    try { shown = props.value ? JSON.parse(props.value) : null; } catch { shown = null; }
    for (const [name, letter] of [["w", "W"], ["delta", "ΔW"], ["v", "V"], ["u", "U"]]) {
      if (shown?.[name]) Object.assign(shown[name], { letter, bytes: Int8Array.from(atob(shown[name].entries), (char) => char.charCodeAt(0)) });
    }
    draw();
  }

  function later() {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(draw);
  }

  stretch.onchange = draw;
  onTold(element, "look", later);
  let wide = 0;
  new ResizeObserver(() => { if (Math.abs(element.clientWidth - wide) > 4) { wide = element.clientWidth; later(); } }).observe(element);
  arrived();
  watch("value", arrived);
}
