// Tabs are made when they are first opened. This stands in such a tab: has what the tab does at first
// be done, unless something is about to fill it in; then once that is over.
import { tell } from "./dom.js";

const made = new Map(); // by tab: has its first doings begin
const held = new Set(); // tabs whose beginning waits
const awaited = new Map(); // by tab: what waits until it is made

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, trigger }) {
  const begin = () => trigger("open", {});
  made.set(props.tab, begin);
  // What another tab has set here is handed over as the controls appear.
  if (!held.has(props.tab)) setTimeout(begin, 50);
  tell("made", { tab: props.tab, awaited: awaited.has(props.tab) });
  awaited.get(props.tab)?.();
  awaited.delete(props.tab);
}

export const isMade = (tab) => made.has(tab);

/** A tab that is not made yet, once it is, is to wait for `release`. */
export function hold(tab) {
  if (!made.has(tab)) held.add(tab);
}

export function release(tab) {
  if (held.delete(tab)) made.get(tab)?.();
}

/** Brings a tab to the front, through the menu of tabs where the window is narrow. Gradio could do it
 * from the server, but copies what all tabs hold for that. */
export function front(tab) {
  const button = document.querySelector(`[role="tab"][data-tab-id="${tab}"]`)
    || [...document.querySelectorAll(".overflow-dropdown button")].find((one) => one.textContent.trim().toLowerCase() === tab);
  if (button?.getAttribute("aria-selected") !== "true") button?.click();
}

/** Brings a tab to the front; once it is made, whether it has just been, and so is to wait for
 * `release`. The first tab always is there. */
export async function open(tab) {
  const fresh = !made.has(tab) && document.querySelector('[role="tab"][data-tab-id]')?.dataset.tabId !== tab;
  if (!fresh) return front(tab), false;
  hold(tab);
  const there = new Promise((done) => awaited.set(tab, done));
  front(tab);
  return there.then(() => true);
}
