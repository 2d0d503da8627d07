// A tokenizer that was trained on a text: a sample cut into its tokens, the merges in order, the
// tokens that occur most.
import { el } from "../../parts/web/dom.js";
import { count, label, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const SHADES = 6;
  const parts = Object.fromEntries(["toks", "now", "merges", "often", "error"].map((name) => [name, element.querySelector(".lm-bpe-" + name)]));
  let at = -1;

  const shown = (text) => visible(text).replace(/ /g, "·");

  function piece([text, many], i) {
    const node = el("span", "lm-tok lm-bpe s" + (i % SHADES));
    node.textContent = shown(text) + (text.includes("\n") ? "\n" : "");
    node.title = label(text) + ": " + count(many) + " times in the text";
    node.onpointerenter = () => tellOf(i);
    return node;
  }

  let pieces = [];
  function tellOf(i) {
    if (!pieces.length) return;
    at = Math.max(0, Math.min(pieces.length - 1, i));
    parts.toks.querySelector(".at")?.classList.remove("at");
    const node = parts.toks.children[at];
    node.classList.add("at");
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

  function merge([left, right, made, many], i) {
    const node = el("li");
    node.append(el("small", "", count(i + 1)), el("code", "", shown(left)), "+", el("code", "", shown(right)), "→", el("code", "made", shown(made)));
    node.title = count(many) + " times in the text once all merges are made";
    return node;
  }

  function often([text, many], most) {
    const node = el("li"), track = el("span", "lm-track"), bar = el("i");
    bar.style.width = (100 * many) / most + "%";
    track.append(bar);
    node.append(el("code", "", shown(text)), track, el("span", "n", count(many)));
    return node;
  }

  function draw() {
    let data = null;
    try { data = JSON.parse(props.value); } catch { return; }
    parts.error.textContent = data.error;
    parts.error.hidden = !data.error;
    element.querySelector(".lm-bpe-all").hidden = !!data.error;
    if (data.error) return;
    pieces = data.pieces;
    at = -1;
    parts.toks.replaceChildren(...pieces.map(piece));
    parts.now.textContent = "Arrow keys walk the tokens.";
    parts.merges.replaceChildren(...(data.merges.length ? data.merges.map(merge) : [el("li", "", "none: every byte is a token of its own")]));
    const most = Math.max(1, ...data.frequent.map(([, many]) => many));
    parts.often.replaceChildren(...data.frequent.map((one) => often(one, most)));
  }

  draw();
  watch("value", draw);
}
