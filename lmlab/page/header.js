// The header's switches, and the line that welcomes a first visit.
import { onTold, tell } from "../parts/web/dom.js";

export function mount(element) {
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

  // They ask the lecture bar, which may come later than the header.
  const late = [element.querySelector(".lm-lecturer"), element.querySelector(".lm-link")];
  const wake = () => { for (const button of late) button.disabled = html.dataset.lmLecture !== "ready"; };
  onTold(element, "lecture-ready", wake);

  // --- the first visit -----------------------------------------------------------------------------

  const welcome = element.querySelector(".lm-welcome");
  function known() {
    welcome.hidden = true;
    keep("welcomed", "1");
  }
  function stranger() {
    try { return localStorage.getItem("lmlab-welcomed") !== "1"; } catch { return true; }
  }
  // A link leads to something else than the beginning.
  welcome.hidden = !stranger() || new URLSearchParams(location.search).has("scene") || new URLSearchParams(location.search).has("tab");
  element.querySelector(".lm-known").onclick = known;
  element.querySelector(".lm-begin").onclick = () => { known(); tell("lecture", { action: "start" }); };
  late.push(element.querySelector(".lm-begin"));
  onTold(element, "lecture", ({ action }) => { if (action === "start") known(); });
  wake();
}
