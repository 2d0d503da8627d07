// A phone in the room: shows what is asked, sends what is answered, and comes back after it slept.
import { button, el, put } from "../../parts/web/dom.js";
import { guessers } from "./game.js";
import { votes } from "./votes.js";

const AGAIN = 2000; // milliseconds until what failed is tried again
const SILENT = 40000; // milliseconds without a word after which the connection is made anew
const code = location.pathname.split("/").pop().toUpperCase(), key = "lmlab-room-" + code;
const box = document.getElementById("room"), line = document.getElementById("said");
let state = null, mine = null, phone = kept(), source = null, heard = 0, sending = 0, drawn = "";

function kept() {
  try { return localStorage.getItem(key) || ""; } catch { return ""; }
}

const say = (text) => { if (line.textContent !== text) line.textContent = text; };

// --- what is asked of the server ------------------------------------------------------------------

const saying = (/** @type {any} */ error) => String(error.message);
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Tried until there is an answer: the same once more does no harm.
async function ask(name, given) {
  for (;;) {
    const answer = await fetch(`./api/${code}/${name}`, { method: "POST", body: JSON.stringify(given),
      headers: { "content-type": "application/json" } }).catch(() => null);
    if (answer?.ok) return answer.json();
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error((await answer.json()).detail);
    say(answer?.status === 429 ? "A moment …" : "No connection; trying again …");
    await pause(AGAIN);
  }
}

async function join() {
  const found = await ask("join", { phone });
  phone = found.phone;
  mine = found.mine;
  try { localStorage.setItem(key, phone); } catch { /* a private window is a new phone each time */ }
}

function listen() {
  source?.close();
  heard = Date.now();
  source = new EventSource(`./api/${code}/events`);
  source.onmessage = ({ data }) => {
    heard = Date.now();
    state = JSON.parse(data);
    draw();
  };
  source.addEventListener("over", over);
  // A refusal ends it for good; a connection that broke is made again by the browser.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(start, AGAIN); };
}

async function start() {
  try {
    await join();
    listen();
  } catch (error) { lost(saying(error)); }
}

// A phone that slept may hold a connection that is none.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state && Date.now() - heard > SILENT) start();
});
addEventListener("online", () => { if (state) start(); });

async function answer(value) {
  const { id, round } = state.question, turn = ++sending;
  mine = { question: id, round, value };
  draw();
  say("Sending …");
  try {
    await ask("answer", { phone, question: id, round, value });
    if (turn === sending) say("Your answer is in. You may change it until the vote ends.");
  } catch (error) {
    if (turn === sending) { mine = null; draw(); say(saying(error)); }
  }
}

// --- what is seen ---------------------------------------------------------------------------------

const own = () => {
  const now = state.question;
  return now && mine && mine.question === now.id && mine.round === now.round ? mine.value : null;
};

const PHASES = { closed: "The vote is over.", shown: "This is what the room answered.", revealed: "This is what the room answered." };

function draw() {
  const now = state.question, told = JSON.stringify([state, own()]);
  if (told === drawn) return;
  const before = drawn && JSON.parse(drawn)[0].question;
  drawn = told;
  if (!now || !before || before.id !== now.id || before.round !== now.round || before.phase !== now.phase) say(welcome(now));
  const inside = now ? question(now) : [], at = [...box.querySelectorAll("button, input")].indexOf(document.activeElement);
  box.replaceChildren(...about(), ...inside.filter(Boolean));
  if (at >= 0) box.querySelectorAll("button, input")[at]?.focus();
}

function welcome(now) {
  if (!state.scene) return "You are in the room. Wait for the lecturer.";
  if (!now) return "";
  if (now.phase !== "open") return PHASES[now.phase];
  if (own() != null) return "Your answer is in. You may change it until the vote ends.";
  return now.round > 1 ? "Vote again, now that you have talked." : "What do you think?";
}

function about() {
  if (!state.scene) return [];
  const link = state.linked && put(el("a", "", "Try it yourself"), { href: "../?scene=" + encodeURIComponent(state.scene.name) });
  return [el("h2", "", state.scene.title), el("p", "sub", state.scene.point), link ? el("p", "", link) : ""].filter(Boolean);
}

function question(now) {
  const asked = el("p", "", el("b", "", now.say));
  const text = now.text && el("p", "text", now.text, " ___");
  if (now.phase === "open") return [text, asked, now.word ? word() : now.free ? number() : options(now)];
  return [text, asked, said(now), votes(now), now.answer && el("p", "", now.answer), truth(now), guessers(now)];
}

const said = (now) => own() != null && el("p", "sub", "Your answer: " + (now.word ? own() : now.free ? Number(own()).toLocaleString("en") : now.options[own()]));

const truth = (now) => now.free && now.truth != null && el("p", "right", "It is " + Number(now.truth.toPrecision(4)).toLocaleString("en") + ".");

const options = (now) => put(el("div", "answers", ...now.options.map((text, i) =>
  button("", text, () => answer(i), { "aria-pressed": String(own() === i) }))), { role: "group", "aria-label": now.say });

// A field and a button; `send` gets what was written.
function field(label, send, more) {
  const box = put(el("input"), { type: "text", id: "answer", autocomplete: "off", value: own() ?? "", ...more });
  const form = el("form", "answers", el("div", "", put(el("label", "", label), { htmlFor: "answer" }), box), put(el("button", "go", own() == null ? "Send" : "Send another"), { type: "submit" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    send(box.value);
  };
  return form;
}

const number = () => field("Your number", (text) => {
  const value = read(text);
  if (Number.isFinite(value)) answer(value);
  else say("That is no number: write one such as 12 or 0.5.");
}, { inputMode: "decimal", maxLength: 20 });

const word = () => field("Your word", (text) => { if (text.trim()) answer(text.trim().toLowerCase()); }, { autocapitalize: "none", maxLength: 40 });

// 1,5 is one and a half to many, 1,500 is not.
const read = (text) => {
  const plain = text.trim().replace(/[\s']/g, "").replace(/,(?=\d{3}(\D|$))/g, "").replace(",", ".");
  return plain ? Number(plain) : NaN;
};

function over() {
  source?.close();
  lost("This room is closed. Thank you.", false);
}

function lost(text, enter = true) {
  say(text);
  box.replaceChildren(...(enter ? [entry()] : []));
}

function entry() {
  const field = put(el("input"), { type: "text", id: "enter", maxLength: 5, autocapitalize: "characters", autocomplete: "off", spellcheck: false });
  const form = el("form", "answers", el("div", "", put(el("label", "", "The code on the screen"), { htmlFor: "enter" }), field), put(el("button", "go", "Go in"), { type: "submit" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    const wanted = field.value.trim().toUpperCase().replace(/[^A-Z]/g, "");
    if (wanted) location.assign("./" + wanted);
  };
  return form;
}

document.getElementById("code").textContent = code;
if (code) start();
else lost("", true);
