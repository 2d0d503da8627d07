// A line chart in SVG: perplexity, on a logarithmic axis, at places of which one is chosen.
import { count } from "../../parts/web/format.js";

function svg(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text != null) node.textContent = text;
  return node;
}

// Perplexities as people read them, from nats.
export function perplexity(nats) {
  if (nats == null) return "–";
  const value = Math.exp(nats);
  if (value >= 1e6) return Number.isFinite(value) ? value.toExponential(2).replace("e+", "·10^") : "10^" + (nats / Math.LN10).toFixed(1);
  return value >= 1000 ? count(Math.round(value)) : value >= 100 ? value.toFixed(1) : value.toFixed(value >= 10 ? 2 : 3);
}

// 1, 2, 5, 10 … where the range is wide, else round numbers.
function ticks(low, high) {
  const found = [], wide = high / low;
  if (wide >= 6) {
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const m of wide > 200 ? [1] : [1, 2, 5]) if (m * power >= low && m * power <= high) found.push(m * power);
    return found;
  }
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-9); n++) found.push(n * step);
  return found;
}

const tickText = (value) => (value >= 1e6 ? value.toExponential(0).replace("e+", "·10^") : value >= 1000 ? count(value) : String(+value.toPrecision(4)));

// Draws into a box as wide and high as it is. `spec`: {kind: class, label, xs, names: of the places on
// the axis below, axis: its title, values: nats by place, levels: [words, nats] drawn dashed, at, ink,
// pick(place), rows: what is saved as CSV}.
export function draw(box, spec) {
  const width = box.clientWidth || 420, height = box.clientHeight || 220, size = parseFloat(getComputedStyle(box).fontSize);
  const left = size * 4.2, right = width - size * 1.2, top = size, bottom = height - size * 2.9;
  const levels = spec.levels.filter(([, nats]) => nats != null), known = [...spec.values, ...levels.map(([, nats]) => nats)].filter((nats) => nats != null);
  const room = Math.max((Math.max(...known) - Math.min(...known)) * 0.09, 0.01), low = Math.min(...known) - room, high = Math.max(...known) + room;
  const from = Math.min(...spec.xs), far = Math.max(...spec.xs) - from || 1;
  const X = (place) => left + ((spec.xs[place] - from) / far) * (right - left), Y = (nats) => bottom - ((nats - low) / (high - low)) * (bottom - top);
  const picture = svg("svg", { class: "lm-steps " + spec.kind, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.label });
  const rule = (name, x1, x2, y1, y2) => picture.append(svg("line", { class: name, x1, x2, y1, y2 }));
  const word = (name, x, y, text, anchor = "middle") => picture.append(svg("text", { class: name, x, y, "text-anchor": anchor }, text));
  for (const tick of ticks(Math.exp(low), Math.exp(high))) {
    const y = Y(Math.log(tick));
    rule("grid", left, right, y, y);
    word("", left - size / 2, y + size * 0.35, tickText(tick), "end");
  }
  let edge = -Infinity;
  spec.names.forEach((name, place) => {
    const half = name.length * size * 0.3;
    if (X(place) - half < edge) return;
    edge = X(place) + half + size / 2;
    word(place === spec.at ? "here" : "", X(place), bottom + size * 1.15, name);
  });
  word("axis", (left + right) / 2, height - size * 0.3, spec.axis);
  levels.forEach(([name, nats], i) => {
    const lowest = levels.length > 1 && nats === Math.min(...levels.map((one) => one[1]));
    rule("level", left, right, Y(nats), Y(nats));
    word("name", i ? left + 4 : right - 8, Y(nats) + (lowest ? size : -size * 0.4), name, i ? "start" : "end");
  });
  if (spec.values[spec.at] != null) rule("at", X(spec.at), X(spec.at), top, bottom);
  const points = [...spec.values.keys()].filter((place) => spec.values[place] != null);
  picture.append(svg("polyline", { points: points.map((place) => X(place) + "," + Y(spec.values[place])).join(" ") }));
  for (const place of points) {
    const point = svg("circle", { cx: X(place), cy: Y(spec.values[place]), r: place === spec.at ? 6.5 : 4, class: place === spec.at ? "on" : "" });
    point.append(svg("title", {}, `${spec.names[place]}: perplexity ${perplexity(spec.values[place])}`));
    picture.append(point);
  }
  picture.style.setProperty("--ink", spec.ink);
  picture.lmRows = () => spec.rows;
  picture.onclick = ({ clientX }) => {
    const x = clientX - picture.getBoundingClientRect().left;
    spec.pick(points.reduce((best, place) => (Math.abs(X(place) - x) < Math.abs(X(best) - x) ? place : best)));
  };
  box.replaceChildren(picture);
}
