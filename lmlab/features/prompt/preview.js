// The prompt that F builds, coloured by part, with what the model added and what G read.
import { el, tell } from "../../parts/web/dom.js";
import { count, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const NAMES = { instruction: "instruction", example: "example", separator: "separator", query: "query", chat: "chat form", added: "added by the model", read: "read by G" };

  function piece(text, kind, title) {
    const node = el("span", "lm-part " + kind, visible(text).replace(/⏎/g, "⏎\n"));
    node.title = title || NAMES[kind];
    return node;
  }

  function parts(shown) {
    return shown.map((p) => piece(p.text, p.kind + (p.index % 2 ? " odd" : ""), p.index >= 0 ? `${NAMES[p.kind]} ${p.index + 1}` : NAMES[p.kind]));
  }

  function added(data) {
    const [start, end] = data.read || [0, 0], text = data.added;
    const cut = [...[[0, start, "added"], [start, end, "read"], [end, text.length, "added"]]];
    return cut.filter(([a, b]) => b > a).map(([a, b, kind]) => piece(text.slice(a, b), kind));
  }

  function legend(data) {
    const box = element.querySelector(".lm-partkey");
    const kinds = [...new Set(data.parts.map((p) => p.kind))];
    if (data.added) kinds.push("added");
    if (data.read) kinds.push("read");
    box.replaceChildren(...kinds.map((kind) => el("span", "lm-part " + kind, NAMES[kind])));
  }

  function length(data) {
    const box = element.querySelector(".lm-length"), bar = box.querySelector("i"), said = box.querySelector("span");
    box.hidden = data.n == null;
    if (data.n == null) return;
    const over = data.n > data.context;
    bar.style.width = Math.min(100, (100 * data.n) / data.context) + "%";
    box.classList.toggle("over", over);
    said.textContent = `${count(data.n)} of ${count(data.context)} tokens` + (over ? `: ${count(data.n - data.context)} too many` : "");
  }

  function draw() {
    tell("preview", {});
    let data = null;
    try { data = JSON.parse(props.value); } catch { return; }
    const text = element.querySelector(".lm-prompttext"), notes = element.querySelector(".lm-notes");
    notes.replaceChildren(...data.notes.map((note) => el("p", "", note)));
    if (data.error) {
      element.querySelector(".lm-partkey").replaceChildren();
      element.querySelector(".lm-length").hidden = true;
      text.replaceChildren(el("p", "lm-problem", data.error));
      return;
    }
    legend(data);
    length(data);
    text.replaceChildren(...parts(data.parts), ...(data.added ? added(data) : []));
    if (data.added) text.scrollTop = text.scrollHeight;
    const chat = element.querySelector(".lm-chat");
    chat.hidden = !data.plain;
    chat.querySelector("div").replaceChildren(...(data.plain ? parts(data.plain) : []));
  }

  draw();
  watch("value", draw);
}
