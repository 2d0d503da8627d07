// The header's switches, and the line that welcomes a first visit.
import { onTold, put, remember, remembered, tell } from "../parts/web/dom.js";

export function mount(element) {
  const html = document.documentElement, body = document.body, asked = new URLSearchParams(location.search);
  const $ = (name) => element.querySelector(".lm-" + name);
  const pressed = () => {
    $("projector").setAttribute("aria-pressed", html.classList.contains("projector"));
    $("theme").setAttribute("aria-pressed", body.classList.contains("dark"));
  };
  const keep = (name, value) => {
    remember(name, value);
    pressed();
    tell("look", {});
  };
  const start = () => tell("lecture", { action: "start" });

  $("projector").onclick = () => {
    keep("projector", html.classList.toggle("projector") ? "1" : "0");
    dispatchEvent(new Event("resize"));
  };
  $("theme").onclick = () => keep("theme", body.classList.toggle("dark") ? "dark" : "light");
  $("lecturer").onclick = $("begin").onclick = start;
  $("link").onclick = () => tell("lecture", { action: "ask" });
  pressed();

  // They ask the lecture bar and the page, which may come later than the header.
  const wake = () => {
    for (const name of ["lecturer", "link", "begin"]) put($(name), { disabled: html.dataset.lmLecture !== "ready" });
    put($("reporter"), { disabled: !window.lmlab?.ready });
  };
  onTold(element, "lecture-ready", wake);
  onTold(element, "ready", wake);
  wake();

  // The first visit; a link leads to something else than the beginning.
  $("welcome").hidden = remembered("welcomed") === "1" || asked.has("scene") || asked.has("tab");
  const known = () => {
    $("welcome").hidden = true;
    remember("welcomed", "1");
  };
  $("known").onclick = known;
  onTold(element, "lecture", ({ action }) => { if (action === "start") known(); });
}
