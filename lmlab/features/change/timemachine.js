// The time machine: one text under checkpoint after checkpoint. The slider answers here, without
// the server.
import { mount as mountStrip } from "../../parts/web/strip.js";
import { onTold } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const one = (selector) => element.querySelector(selector);
  const slider = one(".lm-time-slider"), play = one(".lm-time-play");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const PACE = 900; // milliseconds between two checkpoints
  let head = null, moments = [], at = 0, follow = true, ticking = 0;

  // --- the strip within ----------------------------------------------------------------------------

  const inner = { value: "", group: props.group, colour_by: "surprisal" };
  let redrawStrip = () => {};
  const strip = mountStrip(one(".lm-time-strip"), { props: inner, watch: (_, handler) => { redrawStrip = handler; }, trigger: () => {}, server: {} });

  function runOf(moment) {
    return { ...moment, context: head.context, prefix: head.prefix, cut: head.cut, texts: head.texts };
  }

  // --- reading -------------------------------------------------------------------------------------

  function parse(text) {
    try {
      const [first, ...lines] = text.split("\n").map((line) => JSON.parse(line));
      return first ? { head: first, moments: lines } : null;
    } catch { return null; }
  }

  function draw() {
    const found = props.value ? parse(props.value) : null, fresh = !found || !head || found.head.name !== head.name;
    one(".lm-time-empty").hidden = !!found;
    one(".lm-time-body").hidden = !found;
    if (!found) { head = null; moments = []; halt(); return; }
    ({ head, moments } = found);
    slider.max = moments.length - 1;
    if (fresh) {
      halt();
      follow = true;
      inner.value = JSON.stringify({ name: head.name, same: false, notes: head.notes, measures: head.measures, runs: [runOf(moments[0])] });
      redrawStrip();
    }
    if (moments.length === head.steps.length) strip.pinAt(mostChanged());
    // While checkpoints arrive the newest is shown, until somebody takes the slider.
    go(follow ? moments.length - 1 : Math.min(at, moments.length - 1));
  }

  // The token that the first and the last checkpoint see most differently.
  function mostChanged() {
    const first = moments[0].logprob, last = moments[moments.length - 1].logprob;
    let best = -1, most = -1;
    first.forEach((logprob, i) => {
      if (logprob == null || !/\p{L}/u.test(head.texts[i])) return;
      if (last[i] - logprob > most) { most = last[i] - logprob; best = i; }
    });
    return best;
  }

  // --- moving --------------------------------------------------------------------------------------

  const perplexity = (m) => (m.lp == null ? "–" : m.lp > 20 ? "10^" + (m.lp / Math.LN10).toFixed(1) : count(+Math.exp(m.lp).toPrecision(3)));
  const spoken = (m) => `step ${count(m.step)}, perplexity ${perplexity(m)}`;

  function go(i) {
    at = i;
    const moment = moments[i];
    slider.value = i;
    slider.setAttribute("aria-valuetext", spoken(moment));
    one(".lm-time-step").textContent = "step " + count(moment.step);
    one(".lm-time-model").textContent = moment.model;
    one(".lm-time-pp").textContent = perplexity(moment);
    one(".lm-time-bpb").textContent = moment.bpb == null ? "–" : fixed(moment.bpb, 3);
    one(".lm-time-opening").textContent = visible(head.opening);
    one(".lm-time-written").textContent = visible(moment.written).replace(/⏎/g, "⏎\n");
    strip.turnTo(runOf(moment));
    chart();
    window.lmlab.time = { at, step: moment.step, n: moments.length };
  }

  function halt() {
    clearInterval(ticking);
    ticking = 0;
    name();
  }

  function name() {
    const text = calm.matches ? "Next step" : ticking ? "Pause" : "Play";
    play.querySelector("span").textContent = text;
    play.querySelector("i").textContent = ticking ? "❚❚" : "▶";
  }

  function onward() {
    if (at >= moments.length - 1) return halt();
    go(at + 1);
  }

  slider.addEventListener("input", () => { follow = false; halt(); go(+slider.value); });
  play.onclick = () => {
    if (!moments.length) return;
    follow = false;
    if (ticking) return halt();
    if (at >= moments.length - 1) go(0);
    else if (calm.matches) onward();
    if (calm.matches) return;
    ticking = setInterval(() => { if (element.isConnected) onward(); else halt(); }, PACE);
    name();
  };
  calm.addEventListener("change", halt);

  // --- the curve -----------------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";

  function shape(tag, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text != null) node.textContent = text;
    return node;
  }

  // Perplexity against steps, perplexity always by its logarithm.
  function chart() {
    const box = one(".lm-time-chart"), width = box.clientWidth || 420, height = box.clientHeight || 220;
    const size = parseFloat(getComputedStyle(box).fontSize), left = size * 4.2, right = width - 12, top = size, bottom = height - size * 2.9;
    const known = moments.filter((m) => m.lp != null), even = Math.log(head.vocabulary);
    const place = (step) => (head.log ? Math.log(1 + step) : step), last = place(Math.max(...head.steps)) || 1, low0 = place(Math.min(...head.steps));
    const values = [...known.map((m) => m.lp), even], low = Math.max(0, Math.min(...values) - 0.15), high = Math.max(...values) + 0.15;
    const X = (step) => left + ((place(step) - low0) / (last - low0 || 1)) * (right - left), Y = (lp) => bottom - ((lp - low) / (high - low)) * (bottom - top);
    const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Perplexity by step: " + moments.map(spoken).join("; ") });
    for (const tick of ticks(low, high)) {
      svg.append(shape("line", { class: "grid", x1: left, x2: right, y1: Y(tick), y2: Y(tick) }),
        shape("text", { x: left - 8, y: Y(tick) + size * 0.35, "text-anchor": "end" }, count(Math.round(Math.exp(tick)))));
    }
    svg.append(shape("line", { class: "even", x1: left, x2: right, y1: Y(even), y2: Y(even) }),
      shape("text", { x: right - size * 0.8, y: Y(even) + size * 1.2, "text-anchor": "end" }, "all " + count(head.vocabulary) + " tokens alike"),
      shape("text", { x: (left + right) / 2, y: height - size * 0.3, "text-anchor": "middle" }, head.log ? "step (logarithmic)" : "step"));
    labelSteps(svg, X, bottom, size);
    svg.append(shape("polyline", { points: known.map((m) => X(m.step) + "," + Y(m.lp)).join(" ") }));
    moments.forEach((m, i) => {
      if (m.lp == null) return;
      if (i === at) svg.append(shape("line", { class: "here", x1: X(m.step), x2: X(m.step), y1: top, y2: bottom }));
      const point = shape("circle", { cx: X(m.step), cy: Y(m.lp), r: i === at ? 7 : 4.5, class: i === at ? "on" : "" });
      point.append(shape("title", {}, spoken(m)));
      point.addEventListener("click", () => { follow = false; halt(); go(i); });
      svg.append(point);
    });
    svg.lmRows = () => [["step", "model", "perplexity", "bits per byte"], ...moments.map((m) => [m.step, m.model, m.lp == null ? null : Math.exp(m.lp), m.bpb])];
    box.replaceChildren(svg);
  }

  function ticks(low, high) {
    const found = [];
    for (let power = 0; power < 12; power++) for (const digit of [1, 2, 5]) found.push(Math.log(digit * 10 ** power));
    const seen = found.filter((t) => t >= low && t <= high), some = Math.ceil(seen.length / 6);
    return seen.filter((_, i) => i % some === 0);
  }

  // The steps below the axis, as many as fit.
  function labelSteps(svg, X, bottom, size) {
    let edge = -Infinity;
    for (const step of head.steps) {
      const text = count(step), half = text.length * size * 0.3, x = X(step);
      if (x - half < edge) continue;
      edge = x + half + size * 0.5;
      svg.append(shape("text", { x, y: bottom + size * 1.15, "text-anchor": "middle" }, text));
    }
  }

  new ResizeObserver(() => { if (head && moments.length) chart(); }).observe(one(".lm-time-chart"));
  onTold(element, "look", () => setTimeout(() => { if (head) chart(); }, 60));
  name();
  draw();
  watch("value", draw);
}
