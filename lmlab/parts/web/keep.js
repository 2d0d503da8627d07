// A result's receipt: shown, copied and saved on demand; and word of the result to the report.
import { onValue, partsOf, tell } from "./dom.js";
import { copyText, notice, saveAs } from "./files.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const part = partsOf(element, ".lm-keep-", "open", "box", "why", "code", "copy", "save"), opener = part.open;
  let turn = ""; // names what is shown
  let kept = null; // its note; null until it comes

  const opened = () => opener.getAttribute("aria-expanded") === "true";
  const open = (on) => opener.setAttribute("aria-expanded", on);
  const isWhole = () => kept && !kept.waits;

  function draw() {
    const whole = isWhole();
    part.box.hidden = !opened();
    part.why.textContent = whole ? kept.why || "" : "…";
    part.code.textContent = (whole && kept.receipt) || "";
    for (const node of element.querySelectorAll(".lm-keep-whole")) node.hidden = !whole || !kept.receipt;
  }

  opener.onclick = () => {
    open(!opened());
    if (opened() && !isWhole()) given.trigger("ask", { turn, open: true });
    draw();
  };
  part.copy.onclick = async () => {
    try { await copyText(kept.receipt); notice("Receipt copied."); } catch { notice("The browser did not allow it."); }
  };
  part.save.onclick = () => { saveAs([kept.receipt], "text/x-python;charset=utf-8", "receipt.py"); notice("Saved as receipt.py."); };

  function change(told) {
    if (kept?.lazy) open(false);
    turn = told.turn;
    kept = null;
    if (told.ends) given.trigger("ask", { turn, open: false });
    draw();
  }

  onValue(given, (value) => {
    if (!value) return;
    if (value.turn) return change(value);
    if ((turn && value.of !== turn) || (value.waits && isWhole())) return;
    turn = value.of;
    kept = value;
    element.querySelector(".lm-keep").hidden = !value.key;
    if (!value.key) open(false);
    draw();
    if (value.key) tell("result", { ...kept, ids: given.props.among.split(" ") });
  });
}
