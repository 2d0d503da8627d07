// A result's receipt: shown, copied and saved on demand; and word of the result to the report.
import { onValue, partsOf, tell } from "./dom.js";
import { copyText, notice, saveAs } from "./files.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const part = partsOf(element, ".lm-keep-", "open", "box", "why", "code", "copy", "save"), opener = part.open;
  let kept = null;

  const shown = () => opener.getAttribute("aria-expanded") === "true";

  function show(open) {
    opener.setAttribute("aria-expanded", open);
    part.box.hidden = !open;
    if (!open) return;
    part.why.textContent = kept.why || "";
    part.code.textContent = kept.receipt || "";
    for (const node of element.querySelectorAll(".lm-keep-whole")) node.hidden = !kept.receipt;
  }

  opener.onclick = () => {
    if (shown() || !kept.waits) return show(!shown());
    opener.disabled = true;
    opener.setAttribute("aria-expanded", "true");
    given.trigger("ask", {});
  };
  part.copy.onclick = async () => {
    try { await copyText(kept.receipt); notice("Receipt copied."); } catch { notice("The browser did not allow it."); }
  };
  part.save.onclick = () => { saveAs([kept.receipt], "text/x-python;charset=utf-8", "receipt.py"); notice("Saved as receipt.py."); };

  onValue(given, (value) => {
    kept = value;
    element.querySelector(".lm-keep").hidden = !kept;
    if (!kept) return show(false);
    opener.disabled = false;
    show(shown() && !kept.waits);
    tell("result", { ...kept, ids: given.props.among.split(" ") });
  });
}
