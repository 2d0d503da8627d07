// A model's bits per byte as a filter: how the documents lie, a threshold that moves, and those on
// either side of it. Tells a moved threshold by the event `cut`.
import { el } from "../../parts/web/dom.js";
import { count } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch, trigger }) {
  const BINS = 28, SIDE = 4, STEPS = 1000;
  const root = element.querySelector(".lm-quality");
  let found = null, low = 0, high = 1, at = 0, bins = [];

  const log = Math.log2;
  const place = (bits) => (log(bits) - low) / (high - low);
  const bitsAt = (share) => 2 ** (low + share * (high - low));
  const shown = (bits) => (bits >= 10 ? bits.toFixed(1) : bits.toFixed(2));

  // How many stay: documents come sorted, and one on the threshold stays.
  function staying() {
    let n = 0;
    while (n < found.documents.length && found.documents[n].bits <= at) n++;
    return n;
  }

  function histogram() {
    const box = el("div", "lm-qhist"), bars = el("div", "bars"), ticks = el("div", "ticks");
    const most = Math.max(1, ...bins.map((bin) => bin.length));
    bins.forEach((bin, i) => {
      const bar = el("i");
      bar.style.height = 100 * bin.length / most + "%";
      bar.title = `${shown(bitsAt(i / BINS))} to ${shown(bitsAt((i + 1) / BINS))} bits per byte: ${bin.length}`;
      bars.append(bar);
    });
    const line = el("b", "lm-qline");
    bars.append(line);
    for (const value of [0.25, 0.5, 1, 2, 4, 8, 16, 32]) {
      const share = place(value);
      if (share < 0 || share > 1) continue;
      const tick = el("span", "", String(value));
      tick.style.left = 100 * share + "%";
      ticks.append(tick);
    }
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Histogram of bits per byte of ${found.documents.length} documents`);
    box.append(bars, ticks);
    return box;
  }

  function controls() {
    const line = el("div", "lm-qline2"), slider = el("input"), box = el("input"), label = el("label");
    slider.type = "range";
    slider.min = 0;
    slider.max = STEPS;
    slider.step = 1;
    slider.setAttribute("aria-label", "threshold, on the histogram's axis");
    slider.oninput = () => move(Number(bitsAt(slider.value / STEPS).toPrecision(3)), slider);
    slider.onchange = () => trigger("cut", { at });
    box.type = "number";
    box.min = 0;
    box.step = 0.05;
    box.oninput = () => { if (Number(box.value) > 0) move(Number(box.value), box); };
    box.onchange = () => trigger("cut", { at });
    label.append(el("span", "", "Keep up to"), box, el("span", "", "bits per byte"));
    line.append(label, el("span", "lm-kept"));
    return [slider, line];
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
    const n = staying(), all = found.documents.length, share = Math.min(1, Math.max(0, place(at)));
    const slider = root.querySelector("input[type=range]"), box = root.querySelector("input[type=number]");
    if (slider !== from) slider.value = Math.round(STEPS * share);
    if (box !== from) box.value = at;
    slider.setAttribute("aria-valuetext", `${at} bits per byte`);
    root.querySelector(".lm-qline").style.left = 100 * share + "%";
    root.querySelectorAll(".bars i").forEach((bar, i) => bar.classList.toggle("out", (i + 0.5) / BINS > share));
    root.querySelector(".lm-kept").textContent = `${count(n)} of ${count(all)} documents stay, ${count(all - n)} go`;
    root.querySelector(".lm-qsides").replaceChildren(
      side("Stay, nearest to the threshold", found.documents.slice(Math.max(0, n - SIDE), n).reverse(), n - SIDE),
      side("Go, nearest to the threshold", found.documents.slice(n, n + SIDE), all - n - SIDE));
  }

  function draw() {
    try { found = JSON.parse(props.value); } catch { return; }
    const bits = found.documents.map((one) => Math.max(one.bits, 1e-3));
    if (!bits.length) return root.replaceChildren(el("p", "lm-why", "No document could be scored."));
    low = log(Math.min(...bits)) - 0.1;
    high = log(Math.max(...bits)) + 0.1;
    bins = Array.from({ length: BINS }, () => []);
    bits.forEach((value, i) => bins[Math.min(BINS - 1, Math.floor(BINS * place(value)))].push(i));
    const why = `−ln p of the first ${count(found.beginning)} characters under ${found.model}, in bits per byte: few where the model expects the text. It likes best what it was trained on, so a filter of this kind also drops good text of other kinds and languages.`
      + (found.unscored ? ` ${count(found.unscored)} could not be scored and go.` : "");
    root.replaceChildren(el("p", "lm-why", why), histogram(), ...controls(), el("div", "lm-qsides"));
    move(found.at, null);
  }

  if (props.value) draw();
  watch("value", draw);
}
