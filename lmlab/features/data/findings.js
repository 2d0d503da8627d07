// What was found in a corpus: counts, duplicates side by side, personal data, languages.
import { el } from "../../parts/web/dom.js";
import { count, visible } from "../../parts/web/format.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  const root = element.querySelector(".lm-findings");

  const share = (n, of) => (of ? (100 * n / of).toFixed(0) + " %" : "–");
  const many = (n, one, more) => `${count(n)} ${n === 1 ? one : more}`;

  function card(value, label, second) {
    const box = el("div", "lm-fig");
    box.append(el("div", "v", value), el("div", "l", label));
    if (second) box.append(el("div", "second", second));
    return box;
  }

  function cards(f) {
    const box = el("div", "lm-corpuscards");
    box.append(
      card(count(f.documents), "documents", `${count(f.characters)} characters, ${count(f.bytes)} bytes`),
      card(count(f.tokens), "tokens", `of ${f.model}; ${(f.bytes / Math.max(1, f.tokens)).toFixed(2)} bytes each`),
      card(String(f.exact), "exact duplicates", share(f.exact, f.documents) + " of the documents"),
      card(String(f.near), "near duplicates", `similarity ${f.threshold} or more`),
      card(String(f.private), "documents with personal data", `${share(f.private, f.documents)}: e-mail in ${f.emails[0]}, telephone in ${f.phones[0]}`),
    );
    return box;
  }

  function section(title, why, ...nodes) {
    const box = el("section", "lm-panel lm-finding"), list = nodes.filter(Boolean);
    box.append(el("h3", "lm-h", title));
    if (why) box.append(el("p", "lm-why", why));
    box.append(...list);
    return box;
  }

  function scroll(name, node) {
    const box = el("div", "lm-scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", name);
    box.append(node);
    return box;
  }

  function text(pieces, mark) {
    const box = el("p", "lm-doc");
    box.dir = "auto";
    for (const [piece, kind] of pieces) box.append(kind ? el("mark", typeof kind === "string" ? kind : "", piece) : document.createTextNode(piece));
    if (mark) box.classList.add(mark);
    return box;
  }

  function pair(p) {
    const box = el("div", "lm-twins"), head = el("div", "lm-twinhead");
    head.append(el("b", "", p.exact ? "exact" : "near, " + p.similarity.toFixed(2)), el("span", "", `documents ${p.first} and ${p.second}`));
    box.append(head, text(p.left), text(p.right));
    return box;
  }

  function duplicates(f) {
    if (!f.pairs.length) return section("Duplicates", "No document repeats another.");
    const list = el("div", "lm-twinlist");
    list.append(...f.pairs.map(pair));
    const more = f.exact + f.near - f.pairs.length;
    return section("Duplicates",
      `Exact ones by a hash of the text without case and extra spaces; near ones by MinHash and locality-sensitive hashing, their similarity then counted exactly: shared stretches of five characters over all of both (Jaccard). Marked: words that the other has not.`
      + (more > 0 ? ` ${many(more, "more pair is", "more pairs are")} in the CSV.` : ""),
      scroll("Duplicates side by side", list));
  }

  function privacy(f) {
    if (!f.found.length) return section("Personal data", "No e-mail address and no telephone number was found.");
    const list = el("div", "lm-twinlist");
    for (const one of f.found) {
      const box = el("div", "lm-twins"), head = el("div", "lm-twinhead");
      head.append(el("b", "", "document " + one.document), el("span", "", "as found, and masked"));
      box.append(head, text(one.before), text(one.after));
      list.append(box);
    }
    const more = f.private - f.found.length;
    return section("Personal data",
      `${many(f.emails[1], "e-mail address", "e-mail addresses")} and ${many(f.phones[1], "telephone number", "telephone numbers")} in ${f.private} of ${f.documents} documents. What a model has read it can repeat. Patterns miss what is spelt out, and names, and they take some other numbers for telephone numbers.`
      + (more > 0 ? ` ${many(more, "more document is", "more documents are")} not shown.` : ""),
      scroll("Personal data as found, and masked", list));
  }

  function languages(f) {
    const box = el("div", "lm-langs"), most = Math.max(...f.languages.map((one) => one.n));
    for (const one of f.languages) {
      const line = el("div", "lm-lang"), track = el("span", "lm-track"), bar = el("i");
      bar.style.width = 100 * one.n / most + "%";
      track.append(bar);
      const example = el("small", "", visible(one.example));
      example.dir = "auto";
      line.append(el("b", "", one.name), track, el("em", "", `${count(one.n)}, ${share(one.n, f.documents)}`), example);
      box.append(line);
    }
    return section("Languages", "A guess by py3langid for each document, told when it is at least half sure; with one document of each.", box);
  }

  function draw() {
    let f = null;
    try { f = JSON.parse(props.value); } catch { return; }
    root.replaceChildren(cards(f), duplicates(f), privacy(f), languages(f));
  }

  if (props.value) draw();
  watch("value", draw);
}
