// What a model from nothing writes as it learns: each sample with its step, the newest first, and
// the share of its words that the text has.
import { el } from "../../parts/web/dom.js";
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

function words(sample) {
  const share = sample.words, cell = el("td", "lm-known");
  if (share == null) return cell;
  const track = el("span", "lm-track"), bar = el("i");
  bar.style.width = 100 * share + "%";
  track.append(bar);
  cell.append(fixed(100 * share, 0) + " %", track);
  return cell;
}

function written(sample) {
  const cell = el("td", "words"), end = sample.prompt ? [el("b", "", visible(sample.prompt))] : [];
  cell.append(...end, visible(sample.text));
  cell.dir = "auto";
  return cell;
}

function drawGrowth(box, samples) {
  const made = [...samples.entries()].sort(([a], [b]) => a - b).map(([, { all }]) => {
    const part = el("section", "lm-growth"), table = el("table", "lm-table"), head = el("tr"), top = el("thead"), body = el("tbody");
    const prompt = all[0].prompt ? "Going on from ‘" + visible(all[0].prompt) + "’" : "From nothing";
    part.append(el("h3", "lm-h", prompt));
    head.append(el("th", "", "step"), el("th", "", "it writes"), el("th", "", "words of the text"));
    top.append(head);
    body.append(...spread(all).reverse().map((one) => {
      const row = el("tr");
      row.append(el("td", "", count(one.step)), written(one), words(one));
      return row;
    }));
    table.append(top, body);
    const scroll = el("div", "lm-scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Samples: " + prompt);
    scroll.append(table);
    part.append(scroll);
    return part;
  });
  box.replaceChildren(...made);
}

/** @param {HTMLElement} element @param {Given} data */
export function mount(element, data) {
  watchRun(element, data, drawGrowth, true);
}
