// The lecturer's side of the room: opens it, tells it what is shown, and brings what it answered
// beside the question. Another window of the same browser has the same seat.
import { button, el, onTold, put, remember, remembered } from "../../parts/web/dom.js";
import { notice, saveAs } from "../../parts/web/files.js";
import { begin, game } from "./game.js";
import { votes } from "./votes.js";

// Drawn anew only where it has become another: a button that is being pressed stays. What counts
// people is told by itself.
function drawn(node, key, count, make) {
  if (node.lmKey !== key) {
    node.lmKey = key;
    node.replaceChildren(...make());
  }
  const line = node.querySelector("[role=status]");
  if (line && line.textContent !== count) line.textContent = count;
}

const saying = (/** @type {any} */ error) => String(error.message);

/** @param {HTMLElement} element */
export function mount(element) {
  const panel = element.querySelector(".lm-roompanel"), result = element.querySelector(".lm-roomresult");
  const opener = button("lm-room", "Room", () => turn(panel.hidden), { title: "Phones answer", "aria-expanded": "false" });
  let room = null, state = null, source = null, scene = null, shown = false, discuss = false;
  try { room = JSON.parse(remembered("room")); } catch { /* none was opened */ }

  // --- what is asked of the server ----------------------------------------------------------------

  async function post(path, given) {
    const answer = await fetch(new URL("room/api/" + path, document.baseURI), { method: "POST", body: JSON.stringify(given),
      headers: { "content-type": "application/json" } });
    if (answer.ok) return answer;
    const { detail } = await answer.json().catch(() => ({ detail: "The room does not answer." }));
    if (room && (answer.status === 404 || answer.status === 403)) forget();
    throw new Error(detail);
  }

  async function act(name, more = {}) {
    if (!room) return;
    try {
      const answer = await (await post(room.code + "/do", { secret: room.secret, act: name, ...more })).json();
      if (answer.over) return forget();
      discuss = Boolean(answer.discuss);
      if (name === "look") Object.assign(room, { address: answer.address, qr: answer.qr, why: answer.why });
      state = answer;
      draw();
    } catch (error) { notice(saying(error)); }
  }

  async function open() {
    try {
      room = await (await post("open", {})).json();
      remember("room", JSON.stringify({ code: room.code, secret: room.secret }));
      listen();
      await tellScene();
      draw();
    } catch (error) { notice(saying(error)); }
  }

  async function play(text) {
    try {
      notice("The models read the text …");
      state = await (await post(room.code + "/play", { secret: room.secret, text })).json();
      draw();
    } catch (error) { notice(saying(error)); }
  }

  function forget() {
    source?.close();
    room = state = null;
    remember("room", "null");
    draw();
  }

  function listen() {
    source?.close();
    source = new EventSource(new URL(`room/api/${room.code}/events?n`, document.baseURI));
    source.onmessage = ({ data }) => { state = { ...state, ...JSON.parse(data) }; draw(); };
    source.addEventListener("over", forget);
    source.onerror = () => { if (room && source.readyState === EventSource.CLOSED) setTimeout(() => act("look").then(() => room && listen()), 2000); };
  }

  const sent = ({ name, title, point, ask, own }) => ({ name, title, point, own, ask: ask || null });
  const tellScene = () => scene ? act("scene", { scene: sent(scene) }) : act("look");

  // The figure that answers, where the scene names it: it is there already, though nobody sees it.
  function truth() {
    const wanted = scene?.ask?.truth;
    if (typeof wanted !== "string") return {};
    const part = document.getElementById(scene.tab + "-" + wanted) || document.getElementById(wanted);
    const value = parseFloat((part?.querySelector(".v")?.textContent || "").replace(/[,\s\u202f]/g, ""));
    return Number.isFinite(value) ? { truth: value } : {};
  }

  // --- what is shown -------------------------------------------------------------------------------

  function entered(told) {
    const other = told.scene?.name !== scene?.name;
    scene = told.scene && { ...told.scene, own: told.own };
    if (other) { result.hidden = true; tellScene(); }
    if (other || told.shown !== shown) { shown = told.shown; if (!other || shown) reveal(); }
  }
  onTold(element, "scene", entered);
  onTold(element, "asked", drawVotes);

  async function reveal() {
    if (!room || !scene?.ask) return;
    await act(shown ? "reveal" : "hide", truth());
    result.hidden = !shown || !state?.question?.tally?.flat().some(Boolean);
    drawResult();
  }

  function turn(on) {
    panel.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
    if (on && !room) open();
    draw();
  }

  function draw() {
    opener.textContent = room ? `Room ${room.code}` : "Room";
    drawPanel();
    drawVotes();
    if (!result.hidden) drawResult();
  }

  function drawPanel() {
    if (panel.hidden) return;
    const close = () => button("", "Close", () => { turn(false); opener.focus(); });
    const now = state?.question;
    if (!room) return drawn(panel, "none", "", () => [el("p", "", "There is no room open."), button("lm-show", "Open a room", open), close()]);
    if (now?.word) return drawn(panel, JSON.stringify(now), `${answers()} · ${room.code}`, () => [...game(now, act), el("div", "lm-options", button("", "Back to the scene", tellScene), close())]);
    const way = room.address
      ? [put(el("img", "lm-qr"), { src: room.qr, alt: "QR code of " + room.address }), el("p", "lm-roomat", room.address.replace(/^https?:\/\//, ""))]
      : [el("p", "lm-why2", room.why || "")];
    drawn(panel, `${room.code} ${room.address} ${room.why}`, people(), () => [el("h2", "", "Join with your phone: no name, no account"), ...way,
      el("p", "lm-roomcode", room.code), put(el("p"), { role: "status" }),
      el("div", "lm-options", button("", "Save answers (CSV)", save), button("", "End the room", () => act("end")), close()), begin(play)]);
  }

  const answers = () => `${state.answers ?? 0} of ${people().replace(" here", "")} answered`;
  const people = () => `${state?.phones ?? 0} phone${state?.phones === 1 ? "" : "s"} here`;

  async function save() {
    try {
      const table = await (await post(room.code + "/table", { secret: room.secret })).text();
      saveAs(["\ufeff", table], "text/csv", `room-${room.code}.csv`);
    } catch (error) { notice(saying(error)); }
  }

  // Beside the question: how many have answered, and what comes next.
  function drawVotes() {
    const box = document.querySelector("#lecture .lm-ask");
    const now = room && state?.scene?.name === scene?.name && state?.question;
    box.toggleAttribute("data-room", Boolean(now));
    box.toggleAttribute("data-free", Boolean(now && now.free));
    box.toggleAttribute("data-votes", Boolean(now && now.tally));
    let row = box.querySelector(".lm-roomrow");
    if (!now || shown) return row?.remove();
    row ||= box.insertBefore(el("div", "lm-roomrow"), box.querySelector(".lm-answer"));
    drawn(row, JSON.stringify([now, discuss]), (now.round > 1 ? `Vote ${now.round}: ` : "") + answers(), () => told(now));
  }

  function told(now) {
    const count = put(el("span", "lm-roomcount"), { role: "status" });
    const again = button("", "Vote again", () => act("again"));
    const show = button("", "Show the votes", () => act("show", truth()));
    if (now.phase === "open") return [count, button("lm-show", "End the vote", () => act("close", truth()))];
    if (now.phase === "closed") {
      const advice = discuss ? "The room is divided: talk to a neighbour, then vote again." : "The vote is over.";
      return [count, el("span", discuss ? "lm-discuss" : "", advice), again, show];
    }
    return [count, again, votes(now)];
  }

  // After the reveal: both votes over the exhibit, until they are put away.
  function drawResult() {
    const list = votes(state?.question);
    if (!list) { result.hidden = true; return; }
    result.replaceChildren(el("h2", "", "What the room answered"), list,
      button("", "Close", () => { result.hidden = true; }));
  }

  // The lecture bar may have been there before.
  const stand = () => document.querySelector("#lecture .lm-leave").before(opener);
  if (document.documentElement.dataset.lmLecture === "ready") stand();
  else onTold(element, "lecture-ready", stand);
  if (room) act("look").then(() => { if (room) listen(); });
  if (window.lmlab.scene) entered(window.lmlab.scene);
}
