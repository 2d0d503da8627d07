// A tokenizer that was trained on a text: a sample cut into its tokens, the merges in order, the
// tokens that occur most.
import { el, onValue, partsOf, put } from "../../parts/web/dom.js";
import { count, label, visible } from "../../parts/web/format.js";

const SHADES = 6;
const shown = (text) => visible(text).replace(/ /g, "·");

function merge([left, right, made, many], i) {
  const code = (text, kind) => el("code", kind, shown(text));
  return put(el("li", "", el("small", "", count(i + 1)), code(left), "+", code(right), "→", code(made, "made")), { title: count(many) + " times in the text once all merges are made" });
}

function often([text, many], most) {
  const bar = el("i");
  bar.style.width = (100 * many) / most + "%";
  return el("li", "", el("code", "", shown(text)), el("span", "lm-track", bar), el("span", "n", count(many)));
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const parts = partsOf(element, ".lm-bpe-", "toks", "now", "merges", "often", "error", "all");
  let pieces = [], at = -1;

  const piece = ([text, many], i) => put(el("span", "lm-tok lm-bpe s" + (i % SHADES), shown(text) + (text.includes("\n") ? "\n" : "")), {
    title: label(text) + ": " + count(many) + " times in the text", onpointerenter: () => tellOf(i),
  });

  function tellOf(i) {
    if (!pieces.length) return;
    at = Math.max(0, Math.min(pieces.length - 1, i));
    parts.toks.querySelector(".at")?.classList.remove("at");
    parts.toks.children[at].classList.add("at");
    const [text, many, id] = pieces[at];
    parts.now.textContent = `token ${count(at + 1)} of ${count(pieces.length)}: ‘${label(text)}’, number ${count(id)}, ${count(many)} times in the text`;
  }

  parts.toks.onkeydown = (event) => {
    const moves = { ArrowRight: at + 1, ArrowDown: at + 10, ArrowLeft: at - 1, ArrowUp: at - 10, Home: 0, End: pieces.length - 1 };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    tellOf(moves[event.key]);
    parts.toks.children[at]?.scrollIntoView({ block: "nearest" });
    event.preventDefault();
  };

  onValue(given, (data) => {
    if (!data) return;
    parts.error.textContent = data.error;
    parts.error.hidden = !data.error;
    parts.all.hidden = !!data.error;
    if (data.error) return;
    pieces = data.pieces;
    at = -1;
    parts.toks.replaceChildren(...pieces.map(piece));
    parts.now.textContent = "Arrow keys walk the tokens.";
    parts.merges.replaceChildren(...(data.merges.length ? data.merges.map(merge) : [el("li", "", "none: every byte is a token of its own")]));
    const most = Math.max(1, ...data.frequent.map(([, many]) => many));
    parts.often.replaceChildren(...data.frequent.map((one) => often(one, most)));
  });
}
