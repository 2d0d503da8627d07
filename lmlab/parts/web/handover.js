// Puts a text into the clipboard or saves it as a file, and says so.
import { CSV_MARK, copyText, saveAs } from "./files.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const said = element.querySelector(".lm-handed");
  let timer = 0;

  watch("value", async () => {
    if (!props.value) return;
    const job = JSON.parse(props.value);
    try {
      if (job.action === "copy") await copyText(job.text);
      else saveAs([CSV_MARK, job.text], "text/csv;charset=utf-8", job.file);
      said.textContent = job.action === "copy" ? "Copied, with tabs between the columns." : "Saved as " + job.file + ".";
    } catch { said.textContent = "The browser did not allow it."; }
    clearTimeout(timer);
    timer = setTimeout(() => { said.textContent = ""; }, 4000);
  });
}
