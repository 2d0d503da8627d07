// Texts and pictures into the clipboard or a file.
import { el } from "./dom.js";

export const CSV_MARK = "\ufeff"; // tells spreadsheets that this is UTF-8

export function saveAs(parts, kind, file) {
  const link = el("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: kind }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const box = el("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

// Said in the corner of the page for some seconds.
export function notice(text) {
  const line = document.getElementById("lm-notice") || document.body.appendChild(Object.assign(el("div"), { id: "lm-notice" }));
  line.setAttribute("role", "status");
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
