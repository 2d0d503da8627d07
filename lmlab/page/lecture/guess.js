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

// One option: a bar that grows with each hand, and says how many; once the answer is shown, whether it
// is the right one.
function option(text, i, hands, redraw, isRight) {
  const total = hands.reduce((a, b) => a + b, 0), bar = el("i");
  bar.style.width = total ? 100 * hands[i] / total + "%" : "0";
  const made = button("lm-option", bar, () => { hands[i] += 1; redraw(i); }, { title: "Count one hand" });
  made.classList.toggle("lm-right", isRight);
  made.append(el("span", "", (isRight ? "✓ " : "") + text), el("b", "", hands[i] || ""));
  return made;
}

// `turn` shows the answer, or hides it again; `counted` is told of a hand.
export function ask(box, scene, shown, turn, counted) {
  const question = scene.ask;
  box.hidden = !question;
  const open = Boolean(question && shown.has(scene.name));
  box.toggleAttribute("data-shown", open);
  veil(scene.tab, question ? question.hide : [], !open);
  if (!question) return;
  const hands = (GUESSES[scene.name] ||= question.options.map(() => 0));
  box.toggleAttribute("data-counted", hands.some(Boolean));
  const focused = (i) => {
    ask(box, scene, shown, turn, counted);
    counted();
    box.querySelectorAll(".lm-option")[i].focus();
  };
  const show = button("lm-show", open ? "Hide again" : "Show", () => { turn(); box.querySelector(".lm-show").focus(); });
  const options = question.options.map((text, i) => option(text, i, hands, focused, open && text === question.right));
  box.replaceChildren(el("p", "lm-question", question.say),
    el("div", "lm-options", ...options, show),
    put(el("p", "lm-answer", open ? question.answer : ""), { role: "status" }));
  tell("asked", {});
}
