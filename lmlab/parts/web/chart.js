// Line charts on canvases that share one axis of steps: what is new is drawn without a flicker, and
// what was zoomed stays zoomed.
import { button, el, onTold, put } from "./dom.js";
import { SUPERSCRIPT, count, minus } from "./format.js";

const PAD = { left: 52, right: 14, top: 10, bottom: 24 }, NOTHING = { x: [], y: [] };

// The axis of some charts: `series` holds {x: [...], y: [...]} by key.
export function newAxis() {
  return { series: {}, total: 1, from: null, to: null, at: null, charts: [], frame: 0 };
}

function range(axis) {
  return [axis.from ?? 0, axis.to ?? Math.max(axis.total, 1)];
}

export function redraw(axis) {
  cancelAnimationFrame(axis.frame);
  axis.frame = requestAnimationFrame(() => axis.charts.forEach((chart) => chart.draw()));
}

function zoom(axis, from, to) {
  const whole = from == null || to - from >= axis.total;
  axis.from = whole ? null : Math.max(0, from);
  axis.to = whole ? null : Math.min(axis.total, Math.max(to, axis.from + 2));
  redraw(axis);
}

// The index of the last point at or before a step; −1 where there is none.
function before(xs, step) {
  let low = 0, high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step || 0);
  return found;
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10000 || size < 0.001) {
    const [digits, power] = value.toExponential(1).split("e");
    return minus(digits.replace(".0", "")) + "·10" + [...power.replace("+", "")].map((c) => SUPERSCRIPT[c]).join("");
  }
  return minus(String(+value.toPrecision(3)));
}

// Lowest and highest of what is to be seen; a noisy series does not set the range by its outliers.
function extent(axis, lines) {
  const [from, to] = range(axis);
  let low = Infinity, high = -Infinity;
  for (const line of lines) {
    const { x, y } = axis.series[line.key] || NOTHING;
    const first = Math.max(0, before(x, from)), last = Math.min(x.length - 1, before(x, to) + 1);
    let seen = y.slice(first, last + 1).filter((v) => v != null);
    if (line.kind === "faint" && seen.length > 20) {
      seen.sort((a, b) => a - b);
      seen = seen.slice(Math.floor(seen.length * 0.02), Math.ceil(seen.length * 0.98));
    }
    for (const v of seen) { low = Math.min(low, v); high = Math.max(high, v); }
  }
  if (low > high) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : [Math.min(low, 0), Math.max(high, 0) * 1.1];
  const room = (high - low) * 0.06;
  return [low >= 0 && low < (high - low) * 0.4 ? 0 : low - room, high + room];
}

// A chart in a figure. `spec`: {name, unit, lines: [{key, name, kind: line | faint | dots, ink}]}.
export function newChart(axis, spec) {
  const head = el("figcaption"), canvas = put(el("canvas"), { tabIndex: 0, role: "img", "aria-label": spec.name });
  const figure = el("figure", "lm-chart", head, canvas), pen = canvas.getContext("2d");
  const chart = { figure, spec, draw, f: null };
  const of = (line) => axis.series[line.key] || NOTHING;
  let drag = null;
  axis.charts.push(chart);
  figure.lmRows = () => [["line", "step", "value"], ...spec.lines.flatMap((line) => of(line).x.map((step, i) => [line.name, step, of(line).y[i]]))];

  function look() {
    const style = getComputedStyle(figure);
    const of = (name) => style.getPropertyValue(name).trim() || name, size = parseFloat(style.fontSize) * 0.8;
    return { font: `${size}px ${style.fontFamily}`, size, of, text: of("--lm-sub"), grid: of("--lm-grid") };
  }

  function caption() {
    const step = axis.at, parts = [el("b", "", spec.name)];
    if (spec.unit) parts.push(el("small", "", spec.unit));
    let said = spec.name;
    for (const line of spec.lines) {
      const { x, y } = of(line), i = step == null ? x.length - 1 : before(x, step);
      if (!x.length) continue;
      const swatch = el("i"), value = i < 0 || y[i] == null ? "–" : short(y[i]);
      swatch.style.setProperty("--ink", line.ink.startsWith("--") ? `var(${line.ink})` : line.ink);
      parts.push(el("span", "lm-line " + line.kind, swatch, line.name + " ", el("em", "", value)));
      said += `, ${line.name} ${value}`;
    }
    if (step != null) parts.push(el("span", "lm-atstep", "step " + count(step)));
    if (axis.from != null) parts.push(button("lm-tool", "whole run", () => zoom(axis, null)));
    head.replaceChildren(...parts);
    canvas.setAttribute("aria-label", said + ". Arrow keys read the curve, plus and minus zoom, 0 shows all of it.");
  }

  function frame() {
    const width = canvas.clientWidth, height = canvas.clientHeight, dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = look(), [low, high] = extent(axis, spec.lines), [from, to] = range(axis);
    const right = width - PAD.right, bottom = height - PAD.bottom - (style.size > 14 ? 6 : 0), left = PAD.left + (style.size > 14 ? 14 : 0);
    const X = (v) => left + ((v - from) / (to - from)) * (right - left);
    const Y = (v) => bottom - ((v - low) / (high - low)) * (bottom - PAD.top);
    return { width, height, style, low, high, from, to, right, bottom, left, X, Y };
  }

  function axes(f) {
    Object.assign(pen, { font: f.style.font, fillStyle: f.style.text, strokeStyle: f.style.grid, lineWidth: 1, textAlign: "right", textBaseline: "middle" });
    for (const v of ticks(f.low, f.high, Math.max(2, (f.bottom - PAD.top) / (f.style.size * 3)))) {
      const y = Math.round(f.Y(v)) + 0.5;
      stroke(f.left, y, f.right, y);
      pen.fillText(short(v), f.left - 7, y);
    }
    Object.assign(pen, { textAlign: "center", textBaseline: "alphabetic" });
    for (const v of ticks(f.from, f.to, Math.max(2, (f.right - f.left) / (f.style.size * 6)))) {
      if (v === Math.round(v)) pen.fillText(count(v), f.X(v), f.height - 6);
    }
  }

  function stroke(x1, y1, x2, y2) {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  }

  function trace(f, line) {
    const { x, y } = of(line);
    const first = Math.max(0, before(x, f.from)), last = Math.min(x.length - 1, before(x, f.to) + 1);
    const ink = f.style.of(line.ink), lineWidth = { faint: 1.2, level: 1.6 }[line.kind] || 2.4;
    Object.assign(pen, { strokeStyle: ink, fillStyle: ink, globalAlpha: line.kind === "faint" ? 0.38 : 1, lineWidth, lineJoin: "round" });
    pen.setLineDash(line.dash || []);
    pen.beginPath();
    let on = false;
    for (let i = first; i <= last; i++) {
      if (y[i] == null) { on = false; continue; }
      if (on) pen.lineTo(f.X(x[i]), f.Y(y[i]));
      else pen.moveTo(f.X(x[i]), f.Y(y[i]));
      on = true;
    }
    pen.stroke();
    pen.setLineDash([]);
    if (line.kind === "dots" || last === first) {
      for (let i = first; i <= last; i++) if (y[i] != null) dot(f.X(x[i]), f.Y(y[i]), 3.4);
    }
    pen.globalAlpha = 1;
    if (line.kind === "level" && y.length) name(f, line.name, f.Y(y[0]));
  }

  // A level is told by its name on the line, not by its colour alone.
  function name(f, text, y) {
    pen.fillStyle = f.style.text;
    pen.textAlign = "right";
    pen.textBaseline = y < PAD.top + f.style.size * 1.4 ? "top" : "bottom";
    pen.fillText(text, f.right - 4, y + (pen.textBaseline === "top" ? 3 : -3));
  }

  function dot(x, y, size) {
    pen.beginPath();
    pen.arc(x, y, size, 0, 2 * Math.PI);
    pen.fill();
  }

  function cursor(f) {
    if (drag && Math.abs(drag.to - drag.from) > 3) {
      pen.fillStyle = f.style.of("--lm-accent");
      pen.globalAlpha = 0.16;
      pen.fillRect(Math.min(drag.from, drag.to), PAD.top, Math.abs(drag.to - drag.from), f.bottom - PAD.top);
      pen.globalAlpha = 1;
    }
    if (axis.at == null || axis.at < f.from || axis.at > f.to) return;
    Object.assign(pen, { strokeStyle: f.style.text, lineWidth: 1 });
    stroke(f.X(axis.at), PAD.top, f.X(axis.at), f.bottom);
    for (const line of spec.lines) {
      const { x, y } = of(line), i = before(x, axis.at);
      if (i < 0 || y[i] == null) continue;
      pen.fillStyle = f.style.of(line.ink);
      dot(f.X(x[i]), f.Y(y[i]), 4);
    }
  }

  function draw() {
    if (!canvas.clientWidth) return;
    caption();
    const f = frame();
    axes(f);
    pen.save();
    pen.beginPath();
    pen.rect(f.left - 5, PAD.top - 6, f.right - f.left + 10, f.bottom - PAD.top + 8);
    pen.clip();
    spec.lines.forEach((line) => trace(f, line));
    cursor(f);
    pen.restore();
    chart.f = f;
  }

  const stepAt = (px) => chart.f.from + ((px - chart.f.left) / (chart.f.right - chart.f.left)) * (chart.f.to - chart.f.from);
  const inside = (event) => Math.max(chart.f.left, Math.min(chart.f.right, event.offsetX));
  canvas.onpointerdown = (event) => {
    if (!chart.f || event.pointerType === "touch") return;
    drag = { from: inside(event), to: inside(event) };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!chart.f) return;
    if (drag) drag.to = inside(event);
    axis.at = Math.round(stepAt(inside(event)));
    redraw(axis);
  };
  canvas.onpointerup = () => {
    const done = drag;
    drag = null;
    if (done && Math.abs(done.to - done.from) > 8) {
      const ends = [stepAt(done.from), stepAt(done.to)].sort((a, b) => a - b);
      zoom(axis, Math.floor(ends[0]), Math.ceil(ends[1]));
    }
  };
  canvas.onpointercancel = () => { drag = null; };
  canvas.onpointerleave = canvas.onblur = () => { axis.at = null; redraw(axis); };
  canvas.ondblclick = () => zoom(axis, null);
  canvas.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, to] = range(axis), width = to - from, at = axis.at ?? from, stride = Math.max(1, Math.round(width / 60));
    const acts = {
      ArrowRight: () => { axis.at = Math.min(to, at + stride); }, ArrowLeft: () => { axis.at = Math.max(from, at - stride); },
      Home: () => { axis.at = from; }, End: () => { axis.at = to; },
      "+": () => zoom(axis, at - width / 4, at + width / 4), "-": () => zoom(axis, at - width, at + width), 0: () => zoom(axis, null),
    };
    const act = acts[event.key];
    if (!act) return;
    act();
    redraw(axis);
    event.preventDefault();
  };
  new ResizeObserver(() => redraw(axis)).observe(canvas);
  onTold(figure, "look", () => setTimeout(() => redraw(axis), 60));
  return chart;
}
