// What a scene points at fills the screen: all else of its tab is put aside, and what is left is laid
// out in one of a few ways and sizes, the largest in which as little as can be is cut.
import { onTurn, put } from "../../parts/web/dom.js";

const WIDE = matchMedia("(min-width: 900px) and (min-height: 480px)"); // smaller ones scroll the tab as it is
const WAYS = { 1: ["rows"], 2: ["rows", "columns"], 3: ["rows", "columns", "first", "last"] };
const SCALES = [2, 1.7, 1.4, 1.25, 1.12, 1];
const SETTLED = 120; // milliseconds after which what came is laid out
const SMALLEST = 200; // pixels of a figure
// A size smaller is worth as many pixels of what would be cut; what is cut across is worth more.
const SMALLER = 40, ACROSS = 3, NOTHING = 4;

const root = document.documentElement;
const sizes = new ResizeObserver(later);
let nodes = [], timer = 0, wanted = false;

/** Puts a scene's parts on the stage, in their order. @param {HTMLElement[]} parts */
export function show(parts) {
  const there = parts.filter((node) => node.isConnected);
  if (there.length === nodes.length && there.every((node, i) => node === nodes[i])) return later();
  clear();
  nodes = there;
  nodes.forEach(enter);
  turn(true);
}

function enter(node, i) {
  node.classList.add("lm-exhibit");
  node.style.order = String(i);
  if (!node.hasAttribute("tabindex")) Object.assign(node, { tabIndex: 0, lmFocus: true }); // what is cut is scrolled by keys
  for (let up = node.parentElement; up; up = up.parentElement) {
    up.classList.add("lm-on-way");
    if (!up.matches('[role="tabpanel"]') || up.parentElement.closest('[role="tabpanel"]')) continue;
    up.classList.add("lm-stage");
    return;
  }
}

function clear() {
  sizes.disconnect();
  for (const node of nodes) {
    fit(node, 0);
    node.style.order = "";
    if (node.lmFocus) node.removeAttribute("tabindex");
  }
  for (const name of ["lm-exhibit", "lm-on-way", "lm-stage"]) {
    for (const node of document.querySelectorAll("." + name)) node.classList.remove(name);
  }
  nodes = [];
}

export function end() {
  turn(false);
  clear();
}

/** The stage, or the tab as it is with its form. @param {boolean} on */
export function turn(on) {
  wanted = on;
  root.classList.toggle("lm-staged", wanted && WIDE.matches && nodes.length > 0);
  if (!isOn()) for (const node of nodes) fit(node, 0);
  later();
}

export const isOn = () => root.classList.contains("lm-staged");

function later() {
  clearTimeout(timer);
  timer = setTimeout(arrange, SETTLED);
}

const over = (node) => Math.max(0, node.scrollHeight - node.clientHeight);
// A figure keeps its width until it is drawn anew, so that it tells nothing of the room beside it.
const beside = (node) => plots(node).length ? 0 : Math.max(0, ...[node, ...node.querySelectorAll(".lm-scroll")].map((one) => one.scrollWidth - one.clientWidth));

// How much is cut, less what figures can give away.
function cut(node) {
  const spare = plots(node).reduce((sum, figure) => sum + Math.max(0, heightOf(figure) - SMALLEST), 0);
  return Math.max(0, over(node) - spare) + ACROSS * beside(node);
}

function arrange() {
  const stage = nodes[0]?.closest(".lm-stage");
  if (!stage || !isOn()) return;
  sizes.disconnect();
  for (const node of nodes) fit(node, 0);
  const { scale, way } = best(stage);
  lay(stage, scale, way);
  for (const node of nodes) fit(node, room(stage, node, way));
  for (const node of nodes) for (const child of node.children) sizes.observe(child);
}

function lay(stage, scale, way) {
  root.style.setProperty("--lm-scale", String(scale));
  stage.dataset.lmWay = way;
}

function best(stage) {
  let least = Infinity, found = { scale: SCALES[0], way: "rows" };
  SCALES.forEach((scale, i) => {
    for (const way of WAYS[Math.min(nodes.length, 3)]) {
      lay(stage, scale, way);
      const cost = SMALLER * i + nodes.reduce((sum, node) => sum + cut(node), 0);
      if (cost < least - NOTHING) [least, found] = [cost, { scale, way }];
    }
  });
  return found;
}

// How much higher a part's figures may be, or have to be lower, for all to be seen.
function room(stage, node, way) {
  const style = getComputedStyle(stage), height = stage.clientHeight - 2 * parseFloat(style.paddingTop);
  if (way === "columns" || nodes.length === 1) return height - node.scrollHeight;
  if (way !== "rows") return 0;
  const taken = nodes.reduce((sum, one) => sum + one.scrollHeight, parseFloat(style.rowGap) * (nodes.length - 1));
  return (height - taken) / Math.max(1, nodes.filter((one) => plots(one).length).length);
}

const plots = (node) => [...node.querySelectorAll(".js-plotly-plot")].filter((figure) => figure.layout && window.Plotly);
const heightOf = (figure) => figure.layout.height ?? figure.clientHeight;

// Plotly's figures take the room that there is, or give some away; 0 gives them their own size again.
function fit(node, more) {
  const all = plots(node);
  for (const figure of all) {
    figure.lmOwn ??= { width: figure.layout.width ?? null, height: figure.layout.height ?? null };
    const height = Math.max(SMALLEST, heightOf(figure) + more / all.length);
    const wanted = more ? { width: figure.parentElement.clientWidth - inset(figure.parentElement), height } : figure.lmOwn;
    const same = Object.entries(wanted).every(([name, value]) => (figure.layout[name] ?? null) === value);
    if (!same) window.Plotly.relayout(figure, { ...wanted, autosize: wanted.width === null });
  }
}

function inset(node) {
  const style = getComputedStyle(node);
  return parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
}

addEventListener("resize", () => { if (nodes.length) turn(wanted); });
onTurn(later);

/** Says in words what a scene has filled in; a press shows the form. @param {HTMLElement} line @param {string[]} said */
export function tellInputs(line, said) {
  put(line, { hidden: !said.length, title: "The form and all of the tab: I" }).textContent = said.join(" · ");
}
