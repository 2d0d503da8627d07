// The header's two switches. Needs common.js before it.
const html = document.documentElement;

function keep(name, value) {
  try { localStorage.setItem("lmlab-" + name, value); } catch { /* private window */ }
}

function pressed() {
  element.querySelector(".lm-projector").setAttribute("aria-pressed", html.classList.contains("projector"));
  element.querySelector(".lm-theme").setAttribute("aria-pressed", document.body.classList.contains("dark"));
}

element.querySelector(".lm-projector").onclick = () => {
  keep("projector", html.classList.toggle("projector") ? "1" : "0");
  pressed();
  tell("look", {});
  dispatchEvent(new Event("resize"));
};
element.querySelector(".lm-theme").onclick = () => {
  keep("theme", document.body.classList.toggle("dark") ? "dark" : "light");
  pressed();
  tell("look", {});
};
element.querySelector(".lm-lecturer").onclick = () => tell("lecture", { action: "start" });
element.querySelector(".lm-link").onclick = () => tell("lecture", { action: "ask" });
pressed();

// Both ask the lecture bar, which may come later than the header.
const late = [element.querySelector(".lm-lecturer"), element.querySelector(".lm-link")];
const wake = () => { for (const button of late) button.disabled = html.dataset.lmLecture !== "ready"; };
onTold(element, "lecture-ready", wake);
wake();
