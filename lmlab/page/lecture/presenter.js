// The presenter's window: shows what the lecture tells, and hands it keys.
import { button, el, put } from "../../parts/web/dom.js";

const channel = new BroadcastChannel("lmlab-desk-" + location.hash.slice(1));
const $ = (name) => document.querySelector(name);
const KEYS = ["ArrowRight", "ArrowLeft", "PageDown", "PageUp", "Home", " ", "b", "d", "i", "l", "r"];
let told = null; // by the lecture: what is shown

const press = (key) => channel.postMessage({ press: key });
const jump = put(el("select"), { "aria-label": "Jump to a scene", onchange: () => channel.postMessage({ jump: told.scenes[jump.selectedIndex].name }) });
const show = button("", "", () => press(" ")), blank = button("", "Blank", () => press("b"));
$("nav").append(button("", "‹ Back", () => press("PageUp")), show, button("", "Forward ›", () => press("PageDown")), blank, jump);

const two = (n) => String(n).padStart(2, "0");
const minutes = (since) => {
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
};

function clock() {
  const now = new Date();
  $(".lm-desk-now").textContent = `${two(now.getHours())}:${two(now.getMinutes())}`;
  if (!told) return;
  const { scene, scenes, here, entered, began } = told;
  const sum = (some) => some.reduce((all, one) => all + (one.minutes || 0), 0), all = sum(scenes), planned = sum(scenes.slice(0, here + 1));
  const late = scene.minutes && Date.now() - entered > 60000 * scene.minutes;
  $(".lm-desk-spent").classList.toggle("late", Boolean(late));
  $(".lm-desk-spent").textContent = `scene ${minutes(entered)}${scene.minutes ? ` of ${scene.minutes}` : ""} min · `
    + `all ${minutes(began)}${all ? `, planned ${planned} of ${all}` : ""} min`;
}

function draw() {
  $("main").hidden = !told;
  $(".lm-desk-none").hidden = Boolean(told);
  if (!told) return;
  const { scene, scenes, here, shown, guesses, isBlank, isDark } = told, open = shown.includes(scene.name), next = scenes[here + 1];
  document.body.classList.toggle("dark", isDark);
  $(".lm-desk-count").textContent = `${here + 1} / ${scenes.length}`;
  $("h1").textContent = scene.title;
  if ($(".lm-desk-notes").textContent !== (scene.notes || scene.point)) $(".lm-desk-notes").textContent = scene.notes || scene.point;
  question(scene.ask, open, guesses[scene.name]);
  $(".lm-desk-next").textContent = next ? `Next: ${next.title}` : "This is the last scene.";
  show.textContent = !scene.ask || open ? "Go on" : "Show the answer";
  put(blank, { "aria-pressed": isBlank });
  if (jump.length !== scenes.length) jump.replaceChildren(...scenes.map(({ title }, i) => el("option", "", `${i + 1}  ${title}`)));
  jump.selectedIndex = here;
  clock();
}

function question(ask, open, hands) {
  $(".lm-desk-ask").hidden = !ask;
  if (!ask) return;
  $(".lm-desk-ask h2").textContent = ask.say;
  $(".lm-desk-ask ul").replaceChildren(...ask.options.map((text, i) =>
    el("li", text === ask.right ? "right" : "", text + (text === ask.right ? " ✓" : ""), el("b", "", hands?.[i] || ""))));
  $(".lm-desk-ask p").textContent = `${open ? "Shown" : "Not shown yet"}: ${ask.answer}`;
}

channel.onmessage = ({ data }) => {
  if (data.again && told) channel.postMessage({ resume: told });
  if (data.told === undefined) return;
  told = data.told || told; // a lecture that was left is one to come back to
  draw();
};
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select") || (key === " " && target.matches("button"))) return;
  if (key === "g") jump.focus();
  else if (KEYS.includes(key)) press(key);
  else return;
  event.preventDefault();
});
setInterval(clock, 1000);
channel.postMessage({ ask: true });
