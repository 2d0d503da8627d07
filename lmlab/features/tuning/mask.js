// A row as the tokens that are trained on: those that carry loss are coloured.
import { el, onValue, partsOf, put } from "../../parts/web/dom.js";
import { count, label, visible } from "../../parts/web/format.js";

function shown([text, loss, special]) {
  let written = visible(text), kind = "lm-tok lm-masked";
  if (text.includes("\n")) { kind += " line"; written = written.replace(/⏎/g, "⏎\n"); }
  else if (text[0] === " " && text.trim()) kind += " sp";
  else if (/^ +$/.test(text)) written = written.replace(/ /g, "·");
  const title = (special ? "special token, " : "") + (loss ? "carries loss" : "given, carries no loss");
  return put(el("span", kind + (special ? " special" : "") + (loss ? " loss" : ""), written), { title });
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const parts = partsOf(element, ".lm-mask-", "key", "notes", "toks", "count");
  onValue(given, (data) => {
    if (!data) return;
    const { tokens, error, limit } = data;
    parts.notes.replaceChildren(...(error ? [el("p", "lm-problem", error)] : data.warnings.map((text) => el("p", "warn", text))));
    parts.key.hidden = parts.count.hidden = !!error;
    parts.toks.replaceChildren(...tokens.map(shown));
    if (error) return;
    parts.toks.setAttribute("aria-label", `Row ${data.row + 1}: ${tokens.length} tokens, ${data.loss} of them carry loss: `
      + tokens.filter((t) => t[1]).map((t) => label(t[0])).join(" "));
    parts.count.textContent = `${count(data.loss)} of ${count(tokens.length)} tokens carry loss` + (limit ? ` · the model reads ${count(limit)}` : "");
  });
}
