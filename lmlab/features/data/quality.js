// A model's bits per byte as a filter: how the documents lie, a threshold that moves, and those on
// either side of it. Tells a moved threshold by the event `cut`.
import { el } from "../../parts/web/dom.js";
import { count } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const BINS = 28, SIDE = 4, STEPS = 1000;
  const part = (name) => element.querySelector(name), slider = part("input[type=range]"), box = part("input[type=number]");
  let found = null, low = 0, high = 1, at = 0;

  const place = (bits) => (Math.log2(bits) - low) / (high - low);
  const bitsAt = (share) => 2 ** (low + share * (high - low));
  const shown = (bits) => (bits >= 10 ? bits.toFixed(1) : bits.toFixed(2));

  function histogram(bits) {
    const bins = Array(BINS).fill(0), line = el("b", "lm-qline");
    for (const value of bits) bins[Math.min(BINS - 1, Math.floor(BINS * place(value)))]++;
    const most = Math.max(1, ...bins), bars = bins.map((n, i) => {
      const bar = el("i");
      bar.style.height = 100 * n / most + "%";
      bar.title = `${shown(bitsAt(i / BINS))} to ${shown(bitsAt((i + 1) / BINS))} bits per byte: ${n}`;
      return bar;
    });
    const ticks = [0.25, 0.5, 1, 2, 4, 8, 16, 32].filter((value) => place(value) >= 0 && place(value) <= 1).map((value) => {
      const tick = el("span", "", String(value));
      tick.style.left = 100 * place(value) + "%";
      return tick;
    });
    part(".bars").replaceChildren(...bars, line);
    part(".ticks").replaceChildren(...ticks);
    part(".lm-qhist").setAttribute("aria-label", `Histogram of bits per byte of ${bits.length} documents`);
  }

  function card(one) {
    const box = el("div", "lm-qcard"), head = el("div", "lm-twinhead"), text = el("p", "lm-doc", one.text);
    text.dir = "auto";
    head.append(el("b", "", shown(one.bits)), el("span", "", `perplexity ${one.perplexity >= 1e6 ? one.perplexity.toExponential(1) : count(Math.round(one.perplexity))} · ${one.language} · document ${one.document}`));
    box.append(head, text);
    return box;
  }

  function side(title, list, rest) {
    const box = el("div", "lm-qside");
    box.append(el("h4", "", title), ...list.map(card));
    if (!list.length) box.append(el("p", "lm-why", "none"));
    if (rest > 0) box.append(el("p", "lm-why", `and ${count(rest)} further away`));
    return box;
  }

  function move(bits, from) {
    at = bits;
    // Documents come sorted, and one on the threshold stays.
    const docs = found.documents, all = docs.length, n = docs.filter((one) => one.bits <= at).length, share = Math.min(1, Math.max(0, place(at)));
    if (slider !== from) slider.value = Math.round(STEPS * share);
    if (box !== from) box.value = at;
    slider.setAttribute("aria-valuetext", `${at} bits per byte`);
    part(".lm-qline").style.left = 100 * share + "%";
    element.querySelectorAll(".bars i").forEach((bar, i) => bar.classList.toggle("out", (i + 0.5) / BINS > share));
    part(".lm-kept").textContent = `${count(n)} of ${count(all)} documents stay, ${count(all - n)} go`;
    part(".lm-qsides").replaceChildren(
      side("Stay, nearest to the threshold", docs.slice(Math.max(0, n - SIDE), n).reverse(), n - SIDE),
      side("Go, nearest to the threshold", docs.slice(n, n + SIDE), all - n - SIDE));
  }

  function draw() {
    try { found = JSON.parse(props.value); } catch { return; }
    const bits = found.documents.map((one) => Math.max(one.bits, 1e-3)), there = bits.length > 0;
    part(".lm-qbody").hidden = !there;
    part(".lm-quality > .lm-why").textContent = !there ? "No document could be scored."
      : `−ln p of the first ${count(found.beginning)} characters under ${found.model}, in bits per byte: few where the model expects the text. It likes best what it was trained on, so a filter of this kind also drops good text of other kinds and languages.`
        + (found.unscored ? ` ${count(found.unscored)} could not be scored and go.` : "");
    if (!there) return;
    low = Math.log2(Math.min(...bits)) - 0.1;
    high = Math.log2(Math.max(...bits)) + 0.1;
    histogram(bits);
    move(found.at, null);
  }

  slider.oninput = () => move(Number(bitsAt(slider.value / STEPS).toPrecision(3)), slider);
  box.oninput = () => { if (Number(box.value) > 0) move(Number(box.value), box); };
  slider.onchange = box.onchange = () => trigger("cut", { at });
  if (props.value) draw();
  watch("value", draw);
}
