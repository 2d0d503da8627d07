// What this page has shown, kept in the browser until it is closed, as one file of HTML.
import { el, put } from "./dom.js";
import { notice, saveAs } from "./files.js";
import { alone, asAddress, drawnPlot, frozen, grounded, sheet, wholePage } from "./keep-pictures.js";

const MOST_RESULTS = 30;
const MOST_LETTERS = 2e7; // of all results together
const SETTLED = 700; // milliseconds until a result is drawn
let results = [];
const underway = new Set(); // results that are being drawn and kept

const sizeOf = (entry) => entry.html.length + (entry.receipt || "").length + entry.pictures.reduce((n, one) => n + one.length, 0);

// The parts of a result as they are now; plots and charts as pictures.
async function capture(ids) {
  const box = el("div"), pictures = [];
  for (const id of ids) {
    const node = document.getElementById(id);
    if (!node) continue;
    for (const plot of node.querySelectorAll(".js-plotly-plot")) {
      try { if (plot._fullData?.length) pictures.push(await drawnPlot(plot, "svg")); } catch { /* it is being drawn anew */ }
    }
    for (const canvas of node.querySelectorAll("canvas")) if (canvas.clientWidth) pictures.push(grounded(canvas).toDataURL("image/png"));
    for (const drawing of node.querySelectorAll('svg[role="img"]')) if (drawing.getBoundingClientRect().width) pictures.push(asAddress(alone(drawing).text));
    const copy = frozen(node);
    if (!node.classList.contains("lm-plot") && copy.textContent.trim()) box.append(copy);
  }
  return { html: box.innerHTML, pictures };
}

async function remember(told) {
  if (!told.title) return;
  const last = results.findIndex((entry) => entry.key === told.key);
  if (told.asked && last >= 0) { results[last].receipt = told.receipt; return; }
  const entry = { ...told, when: new Date().toLocaleString("en-GB"), ...(await capture(told.ids)) };
  results = [...results.filter((one) => one.key !== told.key), entry];
  let total = results.reduce((n, one) => n + sizeOf(one), 0);
  while (results.length > MOST_RESULTS || (total > MOST_LETTERS && results.length > 1)) total -= sizeOf(results.shift());
}

function chapter(entry, i) {
  // Read in a document where nothing runs.
  const body = el("div", "", ...new DOMParser().parseFromString(entry.html, "text/html").body.childNodes);
  const pictures = entry.pictures.map((src) => put(el("img"), { src, alt: "A figure of this result" }));
  const receipt = entry.receipt ? el("details", "", el("summary", "", "Receipt: a script that gives the number again"), el("pre", "", entry.receipt)) : null;
  return put(el("section", "", el("h2", "", `${i + 1}. ${entry.title}`), el("p", "lm-why", entry.when), body, ...pictures, receipt), { id: "r" + (i + 1) });
}

async function report() {
  await Promise.allSettled(underway);
  if (!results.length) return notice("Nothing to report yet: run something first.");
  const list = el("ol", "", ...results.map((entry, i) => el("li", "", put(el("a", "", entry.title), { href: "#r" + (i + 1) }))));
  const body = el("main", "lm-alone", el("h1", "", "lmlab: what was seen"),
    el("p", "lm-why", `${results.length} result${results.length > 1 ? "s" : ""}, saved ${new Date().toLocaleString("en-GB")}.`), list, ...results.map(chapter));
  const style = sheet(false) + "main{max-width:70rem;margin:0 auto!important}section{border-top:1px solid #8886;margin-top:1.5rem}img{max-width:100%;display:block;margin:8px 0}pre{background:#f3f4f8;padding:10px;overflow:auto;font-size:12.5px;white-space:pre-wrap;overflow-wrap:anywhere}h2{font-size:1.15rem;overflow-wrap:anywhere}.lm-prompttext{font:14px/1.7 ui-monospace,monospace;white-space:pre-wrap}.lm-part.example{background:#dbe6f8}.lm-part.query{background:#ffe9bf}.lm-part.added{background:#e8f5ea}.lm-part.read{background:#8fd3a0}.lm-partkey .lm-part,.lm-mark,.lm-name,figcaption>*,.lm-run-head>*{margin-right:.5em}";
  saveAs([wholePage("lmlab report", style, body)], "text/html;charset=utf-8", "lmlab-report.html");
  notice("Saved as lmlab-report.html.");
}

document.addEventListener("lmlab:result", ({ detail }) => {
  const drawn = new Promise((done) => setTimeout(done, detail.asked ? 0 : SETTLED));
  const kept = drawn.then(() => remember(detail)).finally(() => underway.delete(kept));
  underway.add(kept);
});
document.addEventListener("click", (event) => { if (event.target.closest?.(".lm-reporter")) report(); });
