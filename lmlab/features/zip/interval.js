// Arithmetic coding, step by step: a token's part of the interval becomes the whole of the next.
import { button, el, put } from "../../parts/web/dom.js";
import { count, label, probability, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const PACE = 700, LEAST = 240, TALL = 190, BAR = 46, NAMED = 40;
  let found = null, at = 0, timer = 0, wide = LEAST;
  const part = (name) => element.querySelector(name);
  const slider = part(".lm-zipslider input");
  const play = button("", "Play", () => (timer ? rest() : begin()));
  const step = (by) => () => { rest(); go(at + by); };
  part(".lm-zipplay").append(button("", "◀", step(-1), { "aria-label": "one token back" }), play,
    button("", "▶", step(1), { "aria-label": "one token on" }));

  function begin() {
    if (at >= found.steps.length) at = 0;
    timer = setInterval(() => (at < found.steps.length ? go(at + 1) : rest()), PACE);
    play.textContent = "Pause";
    go(at + 1);
  }

  function rest() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }

  const svg = (tag, fields, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(fields)) node.setAttribute(name, value);
    if (text != null) node.textContent = text;
    return node;
  };

  // Parts of an interval as boxes; what is wide enough has its name.
  function boxes(parts, y, own) {
    return parts.flatMap(([text, low, size]) => {
      const x = low * wide, width = Math.max(1.2, size * wide), mine = own && low === own[0];
      const box = svg("rect", { x, y, width, height: BAR, class: "lm-zipbar" + (mine ? " own" : "") });
      box.append(svg("title", {}, `${label(text)}: ${probability(size)}`));
      if (width < NAMED) return [box];
      const most = Math.max(1, Math.floor(width / 10)), name = label(text);
      return [box, svg("text", { x: x + width / 2, y: y + BAR / 2 + 5, class: mine ? "own" : "" }, name.length > most ? name.slice(0, most - 1) + "…" : name)];
    });
  }

  function bars() {
    wide = Math.max(LEAST, part(".lm-zipbars").clientWidth);
    const now = found.steps[at - 1], next = found.steps[at], drawn = svg("svg", { viewBox: `0 0 ${wide} ${TALL}`, role: "img", "aria-label": part(".lm-zipsaid").textContent });
    const whole = (y) => svg("rect", { x: 0, y, width: wide, height: BAR, class: "lm-zipwhole" });
    const low = TALL - BAR;
    drawn.append(whole(0), whole(low));
    if (now?.part) {
      const [x, size] = now.part, parts = now.others.filter((one) => one[1] !== x);
      const from = x * wide, to = from + Math.max(1.2, size * wide);
      drawn.append(svg("path", { d: `M${from} ${BAR}L0 ${low}H${wide}L${to} ${BAR}Z`, class: "lm-zipzoom" }));
      drawn.append(...boxes(parts, 0), ...boxes([[now.text, x, size]], 0, now.part));
    }
    if (next?.part) drawn.append(...boxes(next.others, low));
    part(".lm-zipbars").replaceChildren(drawn);
  }

  function said() {
    const now = found.steps[at - 1];
    if (!now) return "The interval is whole: 0 to 1. Below, the parts that the first token may take.";
    if (!now.part) return `${visible(now.text)}: no token gives these bytes back; they go past the model for ${Math.round(now.bits)} bits.`;
    return `‘${label(now.text)}’ has p = ${probability(now.part[1])}: ${now.bits.toFixed(2)} bits. Its part becomes the whole interval below.`;
  }

  function wire() {
    const all = at === found.steps.length, out = all ? found.bits.length : Math.min(found.bits.length, found.steps[at - 1]?.out ?? 0);
    const before = Math.min(out, found.steps[at - 2]?.out ?? 0), sent = found.bits.slice(0, before), fresh = found.bits.slice(before, out);
    part(".lm-zip h2 small").textContent = `${count(out)} of ${count(found.bits.length)}`;
    const box = part(".lm-zipbits");
    box.replaceChildren(el("span", "", sent), el("b", "", fresh), el("i", "", found.bits.slice(out)));
    const newest = box.querySelector("b");
    box.scrollTop = Math.max(0, newest.offsetTop - box.offsetTop - 30);
    return out;
  }

  function texts(out) {
    const known = at === found.steps.length ? at : found.steps.findIndex((one, i) => i >= at || one.needs > out);
    for (const [name, n] of [["near", at], ["far", known]]) {
      const box = part(".lm-ziptext." + name), texts = found.steps.slice(0, n).map((one) => visible(one.text));
      box.replaceChildren(texts.slice(0, -1).join(""), el("b", "", texts.at(-1) ?? ""));
      box.scrollTop = box.scrollHeight;
    }
  }

  function go(place) {
    at = Math.max(0, Math.min(found.steps.length, place));
    const told = `token ${at} of ${found.steps.length}`;
    put(slider, { max: found.steps.length, value: at, "aria-valuetext": told });
    part(".lm-zipslider span").textContent = told;
    part(".lm-zipsaid").textContent = said();
    bars();
    texts(wire());
  }

  function arrived() {
    rest();
    try { found = props.value ? JSON.parse(props.value) : null; } catch { found = null; }
    part(".lm-empty").hidden = !!found;
    part(".lm-zipbody").hidden = !found;
    if (found) go(1);
  }

  new ResizeObserver(() => { if (found && Math.abs(part(".lm-zipbars").clientWidth - wide) > 2) requestAnimationFrame(bars); }).observe(element);
  slider.oninput = () => { rest(); go(+slider.value); };
  arrived();
  watch("value", arrived);
}
