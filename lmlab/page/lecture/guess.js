// A question to the room: hands are counted, then what was hidden is shown.
import { el } from "../../parts/web/dom.js";

const GUESSES = (window.lmlab.guesses ||= {}); // scene → hands by option

export function veil(tab, names, on) {
  const sheet = document.getElementById("lm-veil") || document.head.appendChild(Object.assign(el("style"), { id: "lm-veil" }));
  sheet.textContent = on ? names.map((name) => {
    const id = `:is(#${CSS.escape(tab + "-" + name)},#${CSS.escape(name)})`;
    return `${id}{position:relative;min-height:3.2rem}${id}>*{visibility:hidden!important}` +
      `${id}::after{content:"Hidden until you show it";position:absolute;inset:0;display:grid;place-items:center;` +
      "border:2px dashed var(--lm-line);border-radius:12px;background:var(--lm-soft);color:var(--lm-sub)}";
  }).join("") : "";
}

// One option: a bar that grows with each hand, and says how many.
function option(text, i, hands, redraw) {
  const button = el("button", "lm-option");
  button.type = "button";
  const total = hands.reduce((a, b) => a + b, 0), bar = el("i");
  bar.style.width = total ? 100 * hands[i] / total + "%" : "0";
  button.append(bar, el("span", "", text), el("b", "", hands[i] || ""));
  button.title = "Count one hand";
  button.onclick = () => { hands[i] += 1; redraw(i); };
  return button;
}

// `turned` is told when the answer was shown or hidden.
export function ask(box, scene, shown, turned) {
  const question = scene.ask;
  box.hidden = !question;
  veil(scene.tab, question ? question.hide : [], question && !shown.has(scene.name));
  if (!question) return;
  const hands = (GUESSES[scene.name] ||= question.options.map(() => 0));
  const again = () => ask(box, scene, shown, turned);
  const focused = (i) => { again(); box.querySelectorAll(".lm-option")[i].focus(); };
  const options = el("div", "lm-options");
  options.append(...question.options.map((text, i) => option(text, i, hands, focused)));
  const show = el("button", "lm-show", shown.has(scene.name) ? "Hide again" : "Show");
  show.type = "button";
  show.onclick = () => {
    if (!shown.delete(scene.name)) shown.add(scene.name);
    again();
    turned();
    box.querySelector(".lm-show").focus();
  };
  options.append(show);
  const answer = el("p", "lm-answer", shown.has(scene.name) ? question.answer : "");
  answer.setAttribute("role", "status");
  box.replaceChildren(el("p", "lm-question", question.say), options, answer);
}
