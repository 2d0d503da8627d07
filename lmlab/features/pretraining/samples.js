// What a model from nothing writes as it learns: each sample with its step, the newest first, and
// the share of its words that the text has.
import { el, put, table } from "../../parts/web/dom.js";
import { count, fixed, visible } from "../../parts/web/format.js";
import { watchRun } from "../../parts/web/monitor.js";

const ROWS = 9;

// The first, the last, and between them about as many in each doubling of the steps.
function spread(all) {
  if (all.length <= ROWS) return [...all];
  const first = all[0], last = all[all.length - 1], kept = new Map([[first.step, first]]);
  const from = Math.log(Math.max(1, all[1].step)), to = Math.log(Math.max(2, last.step));
  for (let i = 0; i < ROWS - 1; i++) {
    const wanted = Math.exp(from + ((to - from) * i) / (ROWS - 2));
    const near = all.reduce((best, one) => (Math.abs(one.step - wanted) < Math.abs(best.step - wanted) ? one : best));
    kept.set(near.step, near);
  }
  kept.set(last.step, last);
  return [...kept.values()].sort((a, b) => a.step - b.step);
}

function words({ words: share }) {
  if (share == null) return el("td", "lm-known");
  const bar = el("i");
  bar.style.width = 100 * share + "%";
  return el("td", "lm-known", fixed(100 * share, 0) + " %", el("span", "lm-track", bar));
}

function line(sample) {
  const given = sample.prompt ? el("b", "", visible(sample.prompt)) : null;
  return el("tr", "", el("td", "", count(sample.step)), put(el("td", "words", given, visible(sample.text)), { dir: "auto" }), words(sample));
}

function drawGrowth(box, samples) {
  box.replaceChildren(...[...samples.entries()].sort(([a], [b]) => a - b).map(([, { all }]) => {
    const prompt = all[0].prompt ? "Going on from ‘" + visible(all[0].prompt) + "’" : "From nothing";
    const made = table("lm-table", ["step", "it writes", "words of the text"], spread(all).reverse().map(line));
    return el("section", "lm-growth", el("h3", "lm-h", prompt), put(el("div", "lm-scroll", made), { tabIndex: 0, role: "region", "aria-label": "Samples: " + prompt }));
  }));
}

/** @param {HTMLElement} element @param {Given} data */
export function mount(element, data) {
  watchRun(element, data, drawGrowth, true);
}
