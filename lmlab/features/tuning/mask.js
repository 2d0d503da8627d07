// A row as the tokens that are trained on: those that carry loss are coloured.
import { el } from "../../parts/web/dom.js";
import { count, label, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const parts = Object.fromEntries(["key", "notes", "toks", "count"].map((name) => [name, element.querySelector(".lm-mask-" + name)]));

  function shown([text, loss, special]) {
    let written = visible(text), kind = "lm-tok lm-masked";
    if (text.includes("\n")) { kind += " line"; written = written.replace(/⏎/g, "⏎\n"); }
    else if (text[0] === " " && text.trim()) kind += " sp";
    else if (/^ +$/.test(text)) written = written.replace(/ /g, "·");
    if (special) kind += " special";
    const node = el("span", kind + (loss ? " loss" : ""), written);
    node.title = (special ? "special token, " : "") + (loss ? "carries loss" : "given, carries no loss");
    return node;
  }

  function draw() {
    let data = null;
    try { data = JSON.parse(props.value); } catch { return; }
    const warnings = data.warnings.map((text) => el("p", "warn", text));
    parts.notes.replaceChildren(...(data.error ? [el("p", "lm-problem", data.error)] : warnings));
    parts.key.hidden = parts.count.hidden = !!data.error;
    parts.toks.replaceChildren(...data.tokens.map(shown));
    if (data.error) return;
    parts.toks.setAttribute("aria-label", `Row ${data.row + 1}: ${data.tokens.length} tokens, ${data.loss} of them carry loss: `
      + data.tokens.filter((t) => t[1]).map((t) => label(t[0])).join(" "));
    parts.count.textContent = `${count(data.loss)} of ${count(data.tokens.length)} tokens carry loss`
      + (data.limit ? ` · the model reads ${count(data.limit)}` : "");
  }

  draw();
  watch("value", draw);
}
