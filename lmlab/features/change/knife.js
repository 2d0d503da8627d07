// The rank knife: two charts, one slider.
import { draw as chart, perplexity } from "./chart.js";
import { emptied } from "./empty.js";
import { el } from "../../parts/web/dom.js";
import { minus, probability } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const ENOUGH = 0.95;
  const KINDS = [
    { key: "task", name: "task text", ink: "var(--lm-c0)" },
    { key: "general", name: "general text", ink: "var(--lm-c1)" },
  ];
  let found = null, at = 0, moved = false;
  const part = (name) => element.querySelector(name);
  const slider = part(".lm-knifeslider input");
  const percent = (share) => minus((100 * share).toFixed(share > 0.995 && share < 0.9995 ? 1 : 0)) + " %";

  // How much of the way from the base to the tuned model a cut has gone; null where there is no way.
  function way(point) {
    const from = found.points[0].task, to = found.whole?.task;
    return to == null || Math.abs(from - to) < 0.005 ? null : (from - point.task) / (from - to);
  }

  function charts() {
    const boxes = KINDS.map(({ name, key }) => {
      const box = el("figure", "lm-chart lm-knifechart"), head = el("figcaption");
      head.append(el("b", "", "perplexity, " + name), el("span", "", found[key]));
      box.append(head, el("div"));
      return box;
    });
    part(".lm-knifecharts").replaceChildren(...boxes);
    KINDS.forEach(({ name, key, ink }, i) => {
      const values = found.points.map((point) => point[key]), ends = [["base", values[0]], ["tuned", found.whole?.[key]]].filter(([, nats]) => nats != null);
      chart(boxes[i].lastChild, {
        kind: "lm-ranks", label: `Perplexity on ${name} for each k`, axis: "k, singular values kept", xs: [...found.ranks.keys()], names: found.ranks.map(String),
        values, levels: ends.map(([end, nats]) => [`${end} ${perplexity(nats)}`, nats]), at, ink, pick: go,
        rows: [["k, singular values kept", "perplexity"], ...values.map((nats, place) => [found.ranks[place], Math.exp(nats)]), ...ends.map(([end, nats]) => [end, Math.exp(nats)])],
      });
    });
  }

  function number(value, small, name) {
    const box = el("div", "lm-num2"), big = el("b", "", value);
    if (small) big.append(el("small", "", " " + small));
    box.append(big, el("span", "", name));
    return box;
  }

  function numbers(point) {
    const share = way(point);
    part(".lm-knifenums").replaceChildren(
      number(String(point.k), "of " + found.ranks.at(-1), "singular values kept, k"),
      number(perplexity(point.task), share == null ? "" : percent(share) + " of the way", "perplexity, task text"),
      number(perplexity(point.general), "", "perplexity, general text"),
      number(percent(point.kept), "", "of Σ‖ΔW‖² kept"));
  }

  // What the curve says, once it is whole.
  function said() {
    const last = found.ranks.at(-1), words = [];
    if (found.whole) {
      const enough = found.points.find((point) => (way(point) ?? 0) >= ENOUGH);
      if (way(found.points.at(-1)) == null) words.push("On this task text the tuned model is no different from the base.");
      else if (enough) words.push(`k = ${enough.k} of ${last} already goes ${percent(way(enough))} of the way from the base to the tuned model on the task text (in log-perplexity).`);
      words.push(`Check: k = 0 is the base; k = ${last} is within ${found.gap ? probability(found.gap) : "0"} nats a token of the tuned model, measured without the knife.`);
    }
    part(".lm-knifesaid").textContent = words.join(" ");
  }

  function table() {
    const box = el("table", "lm-table"), head = box.createTHead().insertRow(), body = box.createTBody();
    for (const name of ["k", "PP task", "bits per byte", "PP general", "bits per byte", "‖ΔW‖² kept"]) head.append(el("th", "", name));
    for (const [name, point] of [...found.points.map((point) => [point.k, point]), ["tuned", found.whole]]) {
      if (!point) continue;
      const cells = [String(name), perplexity(point.task), point.task_bits?.toFixed(3), perplexity(point.general), point.general_bits?.toFixed(3), percent(point.kept)];
      body.insertRow().append(...cells.map((text) => el("td", "", text ?? "–")));
    }
    part(".lm-bymatrix .lm-scroll").replaceChildren(box);
  }

  function draw() {
    const there = !!found?.ranks;
    part(".lm-empty").hidden = there;
    emptied(part(".lm-empty"), found);
    part(".lm-knifebody").hidden = !there;
    if (!there) return;
    part(".lm-knifehead").replaceChildren(el("b", "", found.base), " + the k largest singular values of every ΔW of ", el("b", "", found.tuned));
    if (!found.points.length) return part(".lm-knifecharts").replaceChildren();
    at = Math.min(at, found.points.length - 1);
    charts();
    Object.assign(slider, { max: found.points.length - 1, value: at, disabled: found.points.length < 2 });
    const told = part(".lm-knifeslider span").textContent = "k = " + found.points[at].k;
    slider.setAttribute("aria-valuetext", told);
    numbers(found.points[at]);
    said();
    table();
  }

  function go(place) {
    moved = true;
    at = place;
    draw();
  }

  function arrived() {
    const before = found;
    try { found = props.value ? JSON.parse(props.value) : null; } catch { found = null; }
    const same = before?.ranks && found?.ranks && before.tuned === found.tuned && before.base === found.base && found.points.length >= before.points.length;
    if (!same) moved = false;
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
