// What a scene runs: its button is pressed once it can be. What it trains ends as the scene is left,
// and its curve is there again when the scene is.
import { onTold, onTurn, tell } from "../../parts/web/dom.js";

// On the Prompt tab the prompt is drawn anew after the filling, and a run that began before would be
// drawn over: so it waits until the prompt has changed, though not for long.
// And Gradio needs a moment to draw what is filled in.
const DRAWN = 60, QUIET = 120, LONGEST = 800, MOUNTING = 2400, PATIENCE = 9600, ENDING = 60_000, REFUSED = 5000, STOPPING = 2000, OFTEN = 250; // milliseconds
const GOING = ["queued", "running", "stopping"];

/** @param {HTMLElement} element @param {(tab: string, name: string) => any} named
 * @param {(idle?: boolean) => void} ready */
export function running(element, named, ready) {
  let since = 0, changed = 0;
  let wish = null; // {name, tab, run, stopped} that is still to be pressed; when others were stopped for it
  let begun = null, left = null; // what the scene trains; what an earlier one trained, until that is over
  const kept = new Map(); // by scene: the run that it trained

  // What stops all that goes on in the tab of a button.
  function stopsOf(tab, run) {
    let panel = named(tab, run);
    for (let up = panel; up; up = up.parentElement) if (up.matches('[role="tabpanel"]')) panel = up;
    return [...(panel?.querySelectorAll('button[id$="-stop"]:enabled') || [])];
  }
  const monitorOf = (tab) => named(tab, "monitor")?.querySelector(".lm-monitor");

  onTold(element, "preview", () => { changed = performance.now(); setTimeout(press, QUIET + 1); });
  onTurn(press);

  function settled(tab) {
    const now = performance.now();
    return tab !== "prompt" || now - since > LONGEST || (changed > since && now - changed > QUIET);
  }

  // Once the button can be pressed, press it; a run under way is stopped first.
  function press() {
    if (!wish || performance.now() - since < DRAWN) return;
    const { name, tab, run } = wish, pressed = named(tab, run), monitor = monitorOf(tab), stops = stopsOf(tab, run);
    if (monitor && left) return;
    if (monitor && kept.has(name)) {
      wish = null;
      tell("follow", { at: named(tab, "monitor").id, run: kept.get(name) });
      return ready();
    }
    if (!pressed || pressed.disabled || pressed.offsetParent === null && !pressed.classList.contains("lm-none")) return;
    const seen = stops.filter((stop) => stop.offsetParent !== null);
    // Once in a while: what is pressed while the page stops something is pressed after that, and would
    // stop the scene's own run.
    if (seen.length) {
      if (performance.now() - wish.stopped > STOPPING) {
        wish.stopped = performance.now();
        seen.forEach((stop) => stop.click());
      }
      return;
    }
    if (!settled(tab) && !stops.length) return;
    wish = null;
    begun = monitor && name ? { name, tab, run, before: monitor.dataset.run, at: performance.now() } : null;
    pressed.click();
    ready();
  }

  // Where it cannot be pressed for so long, or is not there at all, nothing runs.
  function want(name, tab, run) {
    const mine = wish = { name, tab, run, stopped: -Infinity };
    since = performance.now();
    const late = (only) => { press(); if (wish === mine && only()) { wish = null; ready(true); } };
    setTimeout(press, DRAWN + 1);
    setTimeout(press, LONGEST + 1);
    setTimeout(late, MOUNTING, () => !named(tab, run));
    setTimeout(late, PATIENCE, () => !left);
    setTimeout(late, ENDING + PATIENCE, () => true);
  }

  // The next scene finds the machine free, and what was learned is kept.
  function halt(scene) {
    wish = null;
    if (begun) {
      left = { ...begun, until: performance.now() + ENDING };
      begun = null;
      return end();
    }
    if (scene?.run) stopsOf(scene.tab, scene.run).forEach((stop) => stop.click());
  }

  // A run may still be on its way when its scene is left.
  function end() {
    if (!left) return;
    const { name, tab, run, before, at, until } = left, now = performance.now();
    const monitor = monitorOf(tab), mine = monitor?.dataset.run !== before;
    if (mine) kept.set(name, monitor.dataset.run);
    stopsOf(tab, run).forEach((stop) => stop.click());
    const over = mine ? !GOING.includes(monitor.dataset.state) : !named(tab, run)?.disabled && now - at > REFUSED;
    if (!over && now < until) return setTimeout(end, OFTEN);
    left = null;
    press();
  }

  return {
    want, halt,
    again: (name, tab, run) => { kept.delete(name); want(name, tab, run); },
    drop: () => { wish = null; },
  };
}
