// The prompt that F builds, coloured by part, with what the model added and what G read.
import { el, onValue, put, tell } from "../../parts/web/dom.js";
import { count, visible } from "../../parts/web/format.js";

const NAMES = { instruction: "instruction", example: "example", separator: "separator", query: "query", chat: "chat form", added: "added by the model", read: "read by G" };

const piece = (text, kind, title) => put(el("span", "lm-part " + kind, visible(text).replace(/⏎/g, "⏎\n")), { title });

const parts = (shown) => shown.map(({ text, kind, index }) =>
  piece(text, kind + (index % 2 ? " odd" : ""), index >= 0 ? `${NAMES[kind]} ${index + 1}` : NAMES[kind]));

function added({ read, added: text }) {
  const [start, end] = read || [0, 0];
  return [[0, start, "added"], [start, end, "read"], [end, text.length, "added"]].filter(([a, b]) => b > a)
    .map(([a, b, kind]) => piece(text.slice(a, b), kind, NAMES[kind]));
}

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const $ = (selector) => element.querySelector(selector);

  function length({ n, context }) {
    const box = $(".lm-length");
    box.hidden = n == null;
    if (n == null) return;
    box.querySelector("i").style.width = Math.min(100, (100 * n) / context) + "%";
    box.classList.toggle("over", n > context);
    box.querySelector("span").textContent = `${count(n)} of ${count(context)} tokens` + (n > context ? `: ${count(n - context)} too many` : "");
  }

  onValue(given, (data) => {
    tell("preview", {});
    if (!data) return;
    const text = $(".lm-prompttext"), chat = $(".lm-chat");
    $(".lm-notes").replaceChildren(...data.notes.map((note) => el("p", "", note)));
    if (data.error) {
      $(".lm-partkey").replaceChildren();
      $(".lm-length").hidden = true;
      text.replaceChildren(el("p", "lm-problem", data.error));
      return;
    }
    const kinds = new Set([...data.parts.map((p) => p.kind), ...(data.added ? ["added"] : []), ...(data.read ? ["read"] : [])]);
    $(".lm-partkey").replaceChildren(...[...kinds].map((kind) => el("span", "lm-part " + kind, NAMES[kind])));
    length(data);
    text.replaceChildren(...parts(data.parts), ...(data.added ? added(data) : []));
    if (data.added) text.scrollTop = text.scrollHeight;
    chat.hidden = !data.plain;
    chat.querySelector("div").replaceChildren(...(data.plain ? parts(data.plain) : []));
  });
}
