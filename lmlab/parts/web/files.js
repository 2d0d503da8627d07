// Texts and pictures into the clipboard or a file.
import { el, put } from "./dom.js";

export const CSV_MARK = "\ufeff"; // tells spreadsheets that this is UTF-8

export function saveAs(parts, kind, file) {
  const address = URL.createObjectURL(new Blob(parts, { type: kind }));
  saveAddress(address, file);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export const saveAddress = (href, download) => put(el("a"), { href, download }).click();

export async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const box = document.body.appendChild(put(el("textarea"), { value: text }));
  box.select();
  document.execCommand("copy");
  box.remove();
}

// Said in the corner of the page for some seconds.
export function notice(text) {
  const line = document.getElementById("lm-notice") || document.body.appendChild(put(el("div"), { id: "lm-notice", role: "status" }));
  line.textContent = text;
  clearTimeout(line.timer);
  line.timer = setTimeout(() => { line.textContent = ""; }, 5000);
}

// A cell that no spreadsheet takes for a formula; the same as lmlab.parts.tables.neutral.
function cell(value) {
  let text = value == null ? "" : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(text.replace(/^ +/, ""))) text = "'" + text;
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

export const csv = (rows) => CSV_MARK + rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
