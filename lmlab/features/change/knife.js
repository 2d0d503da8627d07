// The rank knife: two charts, one slider.
import { fitted, lineChart, perplexity } from "./chart.js";
import { emptied } from "./empty.js";
import { el } from "../../parts/web/dom.js";
import { minus, probability } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const ENOUGH = 0.95, NARROW = 364; // pixels of a column
  const KINDS = [
    { key: "task", bits: "taskBits", name: "task text", ink: "var(--lm-c0)" },
    { key: "general", bits: "generalBits", name: "general text", ink: "var(--lm-c1)" },
  ];
  let found = null, at = 0, moved = false;
  const part = (name) => element.querySelector(name);
  const slider = part(".lm-knifeslider input");

  // How much of the way from the base to the tuned model a cut has gone; null where there is no way.
  function way(point, key) {
    const from = found.points[0]?.[key], to = wholeOf(key);
    if (from == null || to == null || Math.abs(from - to) < 0.005) return null;
    return (from - point[key]) / (from - to);
  }

  // The tuned model itself, where it is measured already.
  function wholeOf(key) {
    return found.whole ? found.whole[key === "task" ? 0 : 1] : null;
  }

  const percent = (share) => minus((100 * share).toFixed(share > 0.995 && share < 0.9995 ? 1 : 0)) + " %";

  function chart(kind) {
    const box = el("figure", "lm-chart lm-knifechart"), head = el("figcaption");
    const drawn = lineChart({
      title: `Perplexity on ${kind.name} for each k`, ranks: found.ranks, ink: kind.ink, at,
      values: found.points.map((point) => point[kind.key]), base: found.points[0]?.[kind.key], whole: wholeOf(kind.key),
    });
    head.append(el("b", "", "perplexity, " + kind.name), el("span", "", found[kind.key]));
    drawn.picture.onclick = (event) => go(drawn.placeOf(event.clientX));
    box.append(head, drawn.picture);
    return box;
  }

  function number(value, small, name) {
    const box = el("div", "lm-num2"), big = el("b", "", value);
    if (small) big.append(el("small", "", " " + small));
    box.append(big, el("span", "", name));
    return box;
  }

  function numbers(point) {
    const box = part(".lm-knifenums"), last = found.ranks[found.ranks.length - 1];
    box.replaceChildren(number(String(point.k), "of " + last, "singular values kept, k"));
    for (const kind of KINDS) {
      const share = kind.key === "task" ? way(point, kind.key) : null;
      box.append(number(perplexity(point[kind.key]), share == null ? "" : percent(share) + " of the way", "perplexity, " + kind.name));
    }
    box.append(number(percent(point.kept), "", "of Σ‖ΔW‖² kept"));
  }

  // What the curve says, once it is whole.
  function said() {
    const last = found.ranks[found.ranks.length - 1], words = [];
    if (found.whole) {
      const enough = found.points.find((point) => (way(point, "task") ?? 0) >= ENOUGH);
      if (way(found.points[found.points.length - 1], "task") == null) words.push("On this task text the tuned model is no different from the base.");
      else if (enough) words.push(`k = ${enough.k} of ${last} already goes ${percent(way(enough, "task"))} of the way from the base to the tuned model on the task text (in log-perplexity).`);
      words.push(`Check: k = 0 is the base; k = ${last} is within ${found.gap ? probability(found.gap) : "0"} nats a token of the tuned model, measured without the knife.`);
    }
    part(".lm-knifesaid").textContent = words.join(" ");
  }

  function table() {
    const box = el("table", "lm-table"), head = el("tr"), top = el("thead"), body = el("tbody");
    for (const name of ["k", "PP task", "bits per byte", "PP general", "bits per byte", "‖ΔW‖² kept"]) head.append(el("th", "", name));
    top.append(head);
    const row = (name, point) => {
      const tr = el("tr");
      for (const text of [name, perplexity(point.task), point.taskBits?.toFixed(3), perplexity(point.general), point.generalBits?.toFixed(3), point.kept == null ? "" : percent(point.kept)]) tr.append(el("td", "", text ?? "–"));
      return tr;
    };
    body.append(...found.points.map((point) => row(String(point.k), point)));
    if (found.whole) body.append(row("tuned", { task: found.whole[0], general: found.whole[1] }));
    box.append(top, body);
    part(".lm-bymatrix .lm-scroll").replaceChildren(box);
  }

  function draw() {
    const there = !!found?.ranks;
    part(".lm-empty").hidden = there;
    emptied(part(".lm-empty"), found);
    part(".lm-knifebody").hidden = !there;
    if (!there) return;
    const head = part(".lm-knifehead");
    head.replaceChildren(el("b", "", found.base), document.createTextNode(" + the k largest singular values of every ΔW of "), el("b", "", found.tuned));
    if (!found.points.length) return part(".lm-knifecharts").replaceChildren();
    at = Math.min(at, found.points.length - 1);
    const charts = part(".lm-knifecharts"), columns = charts.clientWidth >= 2 * NARROW ? 2 : 1;
    fitted(charts.clientWidth / columns - 34);
    charts.replaceChildren(...KINDS.map(chart));
    slider.max = found.points.length - 1;
    slider.value = at;
    slider.disabled = found.points.length < 2;
    slider.setAttribute("aria-valuetext", "k = " + found.points[at].k);
    part(".lm-knifeslider span").textContent = "k = " + found.points[at].k;
    numbers(found.points[at]);
    said();
    table();
  }

  function go(place) {
    if (!found?.points?.length) return;
    moved = true;
    at = Math.max(0, Math.min(found.points.length - 1, place));
    draw();
  }

  function arrived() {
    let next = null;
    try { next = props.value ? JSON.parse(props.value) : null; } catch { /* nothing */ }
    const same = found && next && found.tuned === next.tuned && found.base === next.base && next.ranks && found.ranks && next.points.length >= found.points.length;
    if (!same) moved = false;
    found = next;
    if (found?.ranks && !moved) at = Math.max(0, found.points.length - 1);
    draw();
  }

  let wide = 0;
  new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - wide) < 5) return;
    wide = element.clientWidth;
    requestAnimationFrame(draw);
  }).observe(element);
  slider.oninput = () => go(+slider.value);
  arrived();
  watch("value", arrived);
}
