// Tabs are made when they are first opened. This stands in such a tab: has what the tab does at first
// be done, unless something is about to fill it in; then once that is over.
import { tell } from "./dom.js";

const made = new Map(); // by tab: has its first doings begin
const held = new Set(); // tabs whose beginning waits

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, trigger }) {
  const begin = () => trigger("open", {});
  made.set(props.tab, begin);
  // What another tab has set here is handed over as the controls appear.
  if (!held.has(props.tab)) setTimeout(begin, 50);
  tell("made", { tab: props.tab });
}

export const isMade = (tab) => made.has(tab);

/** A tab that is not made yet, once it is, is to wait for `release`. */
export function hold(tab) {
  if (!made.has(tab)) held.add(tab);
}

export function release(tab) {
  if (held.delete(tab)) made.get(tab)?.();
}
