// The lecture's keys, and the list of them.
import { button, el, put } from "../../parts/web/dom.js";

const HELP = [
  [["→", "Page Down"], "the next scene"], [["←", "Page Up"], "the one before"], [["Home"], "the first one"],
  [["Space"], "shows the answer, then goes on"], [["G"], "all scenes: a number and Enter jumps"], [["R"], "runs the scene again"],
  [["B"], "blanks the screen, and shows it again"], [["S"], "the presenter’s window: notes, answer, clock"],
  [["F"], "the whole screen"], [["L"], "larger type"], [["D"], "dark or light"], [["I"], "the form and all of the tab"], [["?"], "this list"],
];
const NAMES = { " ": "space", "?": "help" };

/** What is to be done for a key. @param {Record<string, () => void>} acts @param {string} key */
export const actOf = (acts, key) => acts[NAMES[key] || key.toLowerCase()];

/** @param {Record<string, () => void>} acts @param {() => boolean} on */
export function listen(acts, on) {
  // Keys belong to whatever has the focus and uses them; a presenter's, Page Up and Down, never do.
  const free = (node, key) => !node || node === document.body
    || (node.closest(".lm-lecture, #lm-header, .tab-container") && !(key === " " && node.closest("button, summary")));
  document.addEventListener("keydown", (event) => {
    const act = actOf(acts, event.key), node = event.target;
    if (!act || !on() || event.ctrlKey || event.metaKey || event.altKey || node.closest?.("dialog")) return;
    const typing = node.closest?.("input, textarea, select, [contenteditable=true]");
    if (typing || (!event.key.startsWith("Page") && !free(node, event.key))) return;
    event.preventDefault();
    act();
  });
}

/** Shows the list, in which Escape closes. @param {HTMLElement} place */
export function help(place) {
  const rows = HELP.flatMap((/** @type {any[]} */ [keys, said]) => [el("dt", "", ...keys.map((key) => el("kbd", "", key))), el("dd", "", said)]);
  const box = put(el("dialog", "lm-keys", el("h2", "", "Keys of the lecture"), el("dl", "", ...rows), button("", "Close", () => box.close())),
    { "aria-label": "Keys of the lecture", onclose: () => box.remove() });
  place.append(box);
  box.showModal();
}
