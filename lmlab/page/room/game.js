// The room as a language model: a text that is guessed word by word, on the lecturer's screen.
import { button, el, put, table } from "../../parts/web/dom.js";
import { votes } from "./votes.js";

const TEXT = "Once upon a time there was a little dog who ran to the park to play with his friends.";
const short = (p) => p >= 0.01 ? p.toFixed(2) : p.toExponential(1);

/** The form that begins it. @param {(text: string) => void} play */
export function begin(play) {
  const field = put(el("input"), { type: "text", id: "lm-roomtext", maxLength: 500, value: TEXT });
  const form = el("form", "lm-gameform", put(el("label", "", "A text, guessed word by word after its first three"), { htmlFor: "lm-roomtext" }),
    field, put(el("button", "", "Guess the next word"), { type: "submit" }));
  form.onsubmit = (event) => { event.preventDefault(); play(field.value); };
  return form;
}

/** What is guessed now, and who guessed how well. @param {any} now @param {(name: string) => void} act */
export function game(now, act) {
  const next = { open: ["Show the guesses", "show"], shown: ["Show the word", "reveal"], closed: ["Show the guesses", "show"], revealed: ["Next word", "next"] }[now.phase];
  const go = !(now.phase === "revealed" && now.last) && button("lm-show", next[0], () => act(next[1]));
  return [el("p", "lm-gametext", now.text, el("b", "", now.phase === "revealed" ? ` ${now.answer.split(": ")[1]}` : " ___")),
    put(el("p", "lm-roomcount"), { role: "status" }), votes(now), guessers(now), el("div", "lm-options", go || null)].filter(Boolean);
}

/** Each one's probability of the word and perplexity. @param {any} now */
export function guessers(now) {
  if (!now.guessers) return null;
  const rows = now.guessers.map(({ name, p, pp, top }) => el("tr", "", el("td", "", name), el("td", "", short(p)), el("td", "", pp.toPrecision(3)),
    el("td", "", top.slice(0, 3).map(([word, share]) => `${word.trim()} ${share.toFixed(2)}`).join(", "))));
  return el("div", "lm-guessers", table("", ["", "p of the word", "PP so far", "likeliest"], rows), el("p", "lm-rule", now.rule));
}
