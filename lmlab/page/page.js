// Runs once a page: the projector and colour choices of last time, Ctrl+Enter, plots and strips
// that light up together.
import "./lighter.js";
import "./terms.js";
import "../parts/web/keep-report.js";
import "../parts/web/keep-save.js";
import { onHere, onTurn, remembered, tell } from "../parts/web/dom.js";
import { open, release } from "../parts/web/opening.js";
import { visitor } from "../parts/web/visitor.js";

const root = document.documentElement;

function restore() {
  if (remembered("projector") === "1") root.classList.add("projector");
  const theme = remembered("theme");
  if (theme) document.body.classList.toggle("dark", theme === "dark");
}

// --- plots ---------------------------------------------------------------------------------------

const figures = () => [...document.querySelectorAll(".lm-plot .js-plotly-plot")];
const groupOf = (figure) => figure.closest(".lm-plot").id.replace(/-plot$/, "");
// Only figures with one point for each token can light up.
const byToken = (figure) => figure.layout?.meta?.points === "tokens";

function dress(figure) {
  if (!window.Plotly || !figure.layout) return;
  const color = document.body.classList.contains("dark") ? "#aab2c5" : "#596074", size = root.classList.contains("projector") ? 20 : 14;
  if (figure.layout.font?.color === color && figure.layout.font?.size === size) return;
  window.Plotly.relayout(figure, { "font.color": color, "font.size": size });
}

function link(figure) {
  if (figure.lmLinked || !figure.on || !figure.data) return;
  figure.lmLinked = true;
  dress(figure);
  const group = groupOf(figure);
  const point = (event) => event.points.find((p) => p.curveNumber === 0)?.pointNumber ?? event.points[0].pointNumber;
  const told = (event, more) => { if (byToken(figure)) tell("token", { group, run: 0, i: point(event), from: "plot", ...more }); };
  figure.on("plotly_hover", (event) => { if (!figure.lmQuiet) told(event, {}); });
  figure.on("plotly_unhover", () => { if (!figure.lmQuiet) tell("token", { group, i: -1, from: "plot" }); });
  figure.on("plotly_click", (event) => told(event, { pin: true }));
}

function lightUp(figure, i) {
  if (!window.Plotly || !byToken(figure)) return;
  figure.lmQuiet = true;
  try {
    if (i < 0) window.Plotly.Fx.unhover(figure);
    else window.Plotly.Fx.hover(figure, [{ curveNumber: 0, pointNumber: i }]);
  } catch { /* the figure is being drawn anew */ }
  figure.lmQuiet = false;
}

let next = 0;
document.addEventListener("lmlab:token", ({ detail }) => {
  if (detail.from === "plot" || detail.run > 0) return;
  cancelAnimationFrame(next);
  next = requestAnimationFrame(() => {
    for (const figure of figures()) if (groupOf(figure) === detail.group) lightUp(figure, detail.i);
  });
});
document.addEventListener("lmlab:look", () => figures().forEach(dress));
onHere(() => figures().forEach(link));

// --- advice --------------------------------------------------------------------------------------

// What a result says of its prompt may name a hidden button that follows it.
document.addEventListener("click", ({ target }) => {
  const asked = target.closest?.(".lm-follow[data-press]");
  if (asked) document.getElementById(asked.dataset.press)?.click();
});

// --- stopping ------------------------------------------------------------------------------------

// A cancel names a session and a handler, not a run: one that is still on its way would end a run
// that is asked for after it. So as long as one is under way, what is pressed waits; but for the
// lecture's and the header's own buttons, of which none asks for a run by itself.
const SETTLING = 20; // milliseconds in which the page forgets the run that ended
const cancels = new Set();
const send = window.fetch;
window.fetch = (...request) => {
  const sent = send(...request);
  if (/\/cancel$/.test(request[0] instanceof Request ? request[0].url : String(request[0]))) {
    cancels.add(sent);
    const forget = () => setTimeout(() => cancels.delete(sent), SETTLING);
    sent.then(forget, forget);
  }
  return sent;
};
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button || !cancels.size || button.closest("#lecture, #lm-header")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  Promise.allSettled([...cancels]).then(() => setTimeout(() => button.click(), 2 * SETTLING));
}, true);

// --- keys ----------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "Enter") return;
  const button = [...document.querySelectorAll("button.lm-go")].find((b) => b.offsetParent && !b.disabled);
  if (!button) return;
  event.preventDefault();
  // A text box hands its value over after a moment.
  setTimeout(() => button.click(), 60);
});

// --- a button of another tab -----------------------------------------------------------------------

// Presses a button once it is there and free, and `full`, where given, has a text in it.
function press(id, full) {
  const act = () => {
    const button = document.getElementById(id);
    const free = button && !button.disabled && (!full || document.querySelector(full)?.textContent);
    if (free) button.click();
    return free;
  };
  if (act()) return;
  const end = onTurn(() => { if (act()) end(); });
  setTimeout(end, 10000);
}

Object.assign(window.lmlab, { open, press, release, visitor });
restore();
window.lmlab.ready = true;
tell("ready", {});
