// Puts a text into the clipboard or saves it as a file, and says so. Needs common.js before it.
const said = element.querySelector(".lm-handed");
let timer = 0;

async function copy(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const box = el("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

function save(text, file) {
  const link = el("a");
  // The mark at the start tells spreadsheets that this is UTF-8.
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function act() {
  let job = null;
  try { job = JSON.parse(props.value); } catch { return; }
  try {
    if (job.action === "copy") await copy(job.text);
    else save(job.text, job.file);
    said.textContent = job.action === "copy" ? "Copied, with tabs between the columns." : "Saved as " + job.file + ".";
  } catch {
    said.textContent = "The browser did not allow it.";
  }
  clearTimeout(timer);
  timer = setTimeout(() => { said.textContent = ""; }, 4000);
}

watch("value", () => { if (props.value) act(); });
