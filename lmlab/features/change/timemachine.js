// The time machine: one text under checkpoint after checkpoint. The slider answers here, without
// the server.
import { draw as drawChart, perplexity } from "./chart.js";
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

  const spoken = (m) => `step ${count(m.step)}, perplexity ${perplexity(m.lp)}`;

  function go(i) {
    at = i;
    const moment = moments[i];
    slider.value = i;
    slider.setAttribute("aria-valuetext", spoken(moment));
    one(".lm-time-step").textContent = "step " + count(moment.step);
    one(".lm-time-model").textContent = moment.model;
    one(".lm-time-pp").textContent = perplexity(moment.lp);
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

  // Perplexity against steps.
  function chart() {
    // Steps that are spread widely are shown better by their logarithm.
    const later = head.steps.filter((step) => step > 0), log = later.length > 2 && Math.max(...later) > 20 * Math.min(...later);
    drawChart(one(".lm-time-chart"), {
      kind: "", label: "Perplexity by step: " + moments.map(spoken).join("; "), axis: log ? "step (logarithmic)" : "step",
      xs: head.steps.map((step) => (log ? Math.log(1 + step) : step)), names: head.steps.map(count),
      values: moments.map((m) => m.lp), levels: [[`all ${count(head.vocabulary)} tokens alike`, Math.log(head.vocabulary)]], at, ink: "#d9660f",
      pick: (place) => { follow = false; halt(); go(place); },
      rows: [["step", "model", "perplexity", "bits per byte"], ...moments.map((m) => [m.step, m.model, m.lp == null ? null : Math.exp(m.lp), m.bpb])],
    });
  }

  new ResizeObserver(() => { if (head && moments.length) chart(); }).observe(one(".lm-time-chart"));
  onTold(element, "look", () => setTimeout(() => { if (head) chart(); }, 60));
  name();
  draw();
  watch("value", draw);
}
