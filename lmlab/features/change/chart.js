// A small line chart in SVG: perplexity, on a logarithmic axis, for each k that was cut.
import { count } from "../../parts/web/format.js";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 460, height: 250, left: 54, right: 16, top: 14, bottom: 40 };

// As wide as it is shown, so that its letters are of one size everywhere.
export function fitted(wide) {
  BOX.width = Math.max(250, Math.min(620, wide || 460));
  BOX.height = BOX.width < 360 ? 220 : 250;
}

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  if (text != null) node.textContent = text;
  return node;
}

// 1, 2, 5, 10 … where the range is wide, else round numbers.
function ticksBetween(low, high) {
  const found = [];
  if (high / low >= 6) {
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const m of high / low > 200 ? [1] : [1, 2, 5]) if (m * power >= low && m * power <= high) found.push(m * power);
    return found;
  }
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-9); n++) found.push(n * step);
  return found;
}

const tickText = (value) => (value >= 1e6 ? value.toExponential(0).replace("e+", "·10^") : value >= 1000 ? count(value) : String(+value.toPrecision(4)));

// Perplexities as people read them.
export function perplexity(nats) {
  const value = Math.exp(nats);
  return value >= 1e6 ? value.toExponential(2).replace("e+", "·10^") : value >= 1000 ? count(Math.round(value)) : value >= 100 ? value.toFixed(1) : value >= 10 ? value.toFixed(2) : value.toFixed(3);
}

// `spec`: {title, ranks, values (nats, by place), base, whole, at, ink}. Base and whole are drawn as
// dashed lines with their names.
export function lineChart(spec) {
  const known = [...spec.values, spec.base, spec.whole].filter((value) => value != null);
  let low = Math.min(...known), high = Math.max(...known);
  const room = Math.max((high - low) * 0.09, 0.01);
  low -= room;
  high += room;
  const last = Math.max(1, spec.ranks.length - 1);
  const x = (place) => BOX.left + ((BOX.width - BOX.left - BOX.right) * place) / last;
  const y = (nats) => BOX.top + ((BOX.height - BOX.top - BOX.bottom) * (high - nats)) / (high - low);
  const picture = svg("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, class: "lm-ranks", role: "img" });
  picture.append(svg("title", {}, spec.title));
  for (const tick of ticksBetween(Math.exp(low), Math.exp(high))) {
    const at = y(Math.log(tick));
    picture.append(svg("line", { x1: BOX.left, x2: BOX.width - BOX.right, y1: at, y2: at, class: "grid" }));
    picture.append(svg("text", { x: BOX.left - 7, y: at + 4, "text-anchor": "end" }, tickText(tick)));
  }
  spec.ranks.forEach((k, place) => {
    const edge = place === spec.ranks.length - 1;
    picture.append(svg("text", { x: x(place), y: BOX.height - 20, "text-anchor": edge ? "end" : "middle", class: place === spec.at ? "here" : "" }, String(k)));
  });
  picture.append(svg("text", { x: (BOX.left + BOX.width - BOX.right) / 2, y: BOX.height - 4, "text-anchor": "middle", class: "axis" }, "k, singular values kept"));
  for (const [name, nats, side] of [["base", spec.base, "end"], ["tuned", spec.whole, "start"]]) {
    if (nats == null) continue;
    const beside = name === "base" ? BOX.width - BOX.right - 8 : BOX.left + 4;
    const apart = spec.base != null && spec.whole != null && (name === "base") === spec.base < spec.whole ? 13 : -5;
    picture.append(svg("line", { x1: BOX.left, x2: BOX.width - BOX.right, y1: y(nats), y2: y(nats), class: "ends" }));
    picture.append(svg("text", { x: beside, y: y(nats) + apart, "text-anchor": side, class: "name" }, `${name} ${perplexity(nats)}`));
  }
  if (spec.at < spec.values.length) {
    picture.append(svg("line", { x1: x(spec.at), x2: x(spec.at), y1: BOX.top, y2: BOX.height - BOX.bottom, class: "at" }));
  }
  const points = spec.values.map((nats, place) => [x(place), y(nats)]);
  picture.append(svg("polyline", { points: points.map((p) => p.join(",")).join(" "), class: "line", style: `stroke: ${spec.ink}` }));
  points.forEach(([cx, cy], place) => {
    picture.append(svg("circle", { cx, cy, r: place === spec.at ? 6.5 : 4, style: `fill: ${spec.ink}`, class: place === spec.at ? "here" : "" }));
  });
  const ends = [["base", spec.base], ["tuned", spec.whole]].filter(([, nats]) => nats != null);
  picture.lmRows = () => [["k, singular values kept", "perplexity"], ...[...spec.values.map((nats, i) => [spec.ranks[i], nats]), ...ends].map(([k, nats]) => [k, Math.exp(nats)])];
  return { picture, placeOf: (clientX) => {
    const box = picture.getBoundingClientRect(), at = ((clientX - box.left) / box.width) * BOX.width;
    return Math.round(((at - BOX.left) / (BOX.width - BOX.left - BOX.right)) * last);
  } };
}
