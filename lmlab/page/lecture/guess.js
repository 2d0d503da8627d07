// A question to the room: hands are counted, then what was hidden is shown.
import { button, el, put, tell } from "../../parts/web/dom.js";

const GUESSES = (window.lmlab.guesses ||= {}); // scene → hands by option

export function veil(tab, names, on) {
  const sheet = document.getElementById("lm-veil") || document.head.appendChild(put(el("style"), { id: "lm-veil" }));
  sheet.textContent = on ? names.map((name) => {
    const id = `:is(#${CSS.escape(tab + "-" + name)},#${CSS.escape(name)})`;
    return `${id}{position:relative;min-height:3.2rem}${id}>*{visibility:hidden!important}` +
      `${id}::after{content:"Hidden until you show it";position:absolute;inset:0;display:grid;place-items:center;` +
      "border:2px dashed var(--lm-line);border-radius:12px;background:var(--lm-soft);color:var(--lm-sub)}";
  }).join("") : "";
}

// One option: a bar that grows with each hand, and says how many.
function option(text, i, hands, redraw) {
  const total = hands.reduce((a, b) => a + b, 0), bar = el("i");
  bar.style.width = total ? 100 * hands[i] / total + "%" : "0";
  const made = button("lm-option", bar, () => { hands[i] += 1; redraw(i); }, { title: "Count one hand" });
  made.append(el("span", "", text), el("b", "", hands[i] || ""));
  return made;
}

// `turned` is told when the answer was shown or hidden.
export function ask(box, scene, shown, turned) {
  const question = scene.ask;
  box.hidden = !question;
  box.toggleAttribute("data-shown", Boolean(question && shown.has(scene.name)));
  veil(scene.tab, question ? question.hide : [], question && !shown.has(scene.name));
  if (!question) return;
  const hands = (GUESSES[scene.name] ||= question.options.map(() => 0));
  const again = () => ask(box, scene, shown, turned);
  const focused = (i) => { again(); box.querySelectorAll(".lm-option")[i].focus(); };
  const show = button("lm-show", shown.has(scene.name) ? "Hide again" : "Show", () => {
    if (!shown.delete(scene.name)) shown.add(scene.name);
    again();
    turned();
    box.querySelector(".lm-show").focus();
  });
  box.replaceChildren(el("p", "lm-question", question.say),
    el("div", "lm-options", ...question.options.map((text, i) => option(text, i, hands, focused)), show),
    put(el("p", "lm-answer", shown.has(scene.name) ? question.answer : ""), { role: "status" }));
  tell("asked", {});
}
