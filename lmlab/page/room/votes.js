// What was answered, vote beside vote: for phones and for the screen.
import { el, put } from "../../parts/web/dom.js";

const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
const sum = (counts) => counts.reduce((a, b) => a + b, 0);

const labels = (question) => question.free
  ? question.edges.slice(1).map((edge, i) => `${number(question.edges[i])} – ${number(edge)}`)
  : question.options;

const isRight = (question, i) => question.free
  ? question.truth != null && i === question.edges.slice(1, -1).filter((edge) => edge <= question.truth).length
  : question.right === i;

// One answer: a bar for each vote, and how many gave it, "2 → 5" where there were two votes.
function line(question, label, i) {
  const right = isRight(question, i), shares = question.tally.map((counts) => counts[i] / (sum(counts) || 1));
  const bars = shares.map((share) => {
    const bar = el("i");
    bar.style.width = 100 * share + "%";
    return bar;
  });
  const said = right && question.free ? ` ✓ ${number(question.truth)}` : right ? " ✓" : "";
  return el("li", right ? "right" : "", el("span", "", label, said), el("span", "bars", ...bars), el("b", "", question.tally.map((counts) => counts[i]).join(" → ")));
}

/** A list of the answers; null where nothing is shown. @param {any} question */
export function votes(question) {
  if (!question?.tally) return null;
  const several = question.tally.length > 1 && el("p", "legend", question.tally.map((_, i) => `vote ${i + 1}`).join(" → "));
  const list = put(el("ul", "", ...labels(question).map((label, i) => line(question, label, i))), { role: "list" });
  return el("div", "votes", several || null, sum(question.tally.flat()) ? list : el("p", "", "Nobody has answered."));
}
