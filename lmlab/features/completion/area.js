// A map of continuations: columns of cells, each as high as its tokens are probable together. What was
// not looked at, what the controls cut off and what is too small to be seen have cells of their own.
// Tells `enter` of a cell that is clicked, and `leave` of a token before the map.
import { button, el, onValue, put, table } from "../../parts/web/dom.js";
import { count, label, probability } from "../../parts/web/format.js";

const LEAST = 3; // pixels of a cell by itself
const WORDY = 20; // pixels of a cell with words in it
const SIGNS = { greedy: "G", beam: "B", sample: "S" };
const OPEN = 1, END = 2; // states of a place; 0: not looked at

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, given) {
  const box = element.querySelector(".lm-area"), kept = new Map();
  const tools = el("div", "lm-tools"), crumbs = put(el("nav", "lm-crumbs"), { "aria-label": "From the prompt to the map" });
  const heads = el("div", "lm-heads"), said = put(el("p", "lm-areasaid"), { "aria-live": "polite" });
  const map = put(el("div", "lm-map"), { tabIndex: 0, role: "application", "aria-roledescription": "map of continuations", "aria-label": "Map of continuations: arrow keys move, Enter goes in" });
  const ways = put(el("div", "lm-scroll"), { tabIndex: 0, role: "region", "aria-label": "Paths" });
  let data = null, at = 0, controlled = true, lit = "", here = null, cells = [];

  const choice = (name, options, act) => put(el("div", "lm-measures", ...options.map(([value, text], i) => {
    const input = put(document.createElement("input"), { type: "radio", name: element.id + name, checked: !i, onchange: () => { act(value); draw(); } });
    return el("label", "", input, el("span", "", text));
  })), { role: "radiogroup", "aria-label": name });
  tools.append(choice("Area", [[true, "after the controls"], [false, "the model’s own"]], (value) => { controlled = value; }),
    choice("Paths", [["", "all paths"], ["greedy", "greedy"], ["beam", "beam"], ["sample", "samples"]], (value) => { lit = value; }));

  const parent = (i) => data.places[i][0], text = (i) => data.places[i][1], own = (i) => data.places[i][2], after = (i) => data.places[i][3], state = (i) => data.places[i][4];
  const share = (i) => (controlled ? after(i) : own(i));
  const pathTo = (i) => { const found = []; for (; i > 0; i = parent(i)) found.unshift(i); return found; };
  const along = (path, of) => path.reduce((p, i) => p * of(i), 1);
  const paths = () => data.paths.filter(([name]) => name.startsWith(lit));

  // The cells below a place, from `low` on, `room` of the whole high.
  function lay(place, depth, low, room, found) {
    if (depth === data.depth - pathTo(at).length) return;
    const add = (kind, said, top, tall, more) => { if (tall > 0) found.push({ kind, place, said, depth, top, tall, ...more }); };
    const other = (kind, said, top, tall) => add(kind, said, top, tall, { wide: true });
    if (state(place) !== OPEN) return other(state(place) === END ? "end" : "shut", state(place) === END ? "the text ends" : "not looked at", low, room);
    const below = data.below[place].toSorted((one, two) => share(two) - share(one));
    const seen = below.filter((i) => room * share(i) * map.clientHeight >= LEAST);
    let top = low;
    for (const i of seen) {
      add(!controlled && after(i) === 0 ? "cut" : "token", label(text(i)), top, room * share(i), { place: i, own: true });
      lay(i, depth + 1, top, room * share(i), found);
      top += room * share(i);
    }
    const small = below.filter((i) => !seen.includes(i) && share(i) > 0), tall = room * small.reduce((sum, i) => sum + share(i), 0);
    other("small", `${count(small.length)} small ones`, top, tall);
    const [mine, left, possible] = data.rest[place], others = controlled ? possible - below.filter((i) => after(i) > 0).length : data.size - below.length;
    other("rest", `${count(others)} others`, top + tall, room * (controlled ? left : mine));
  }

  function draw() {
    if (!data) return;
    const columns = data.depth - pathTo(at).length, found = [], signs = {}, used = new Set();
    lay(at, 0, 0, 1, found);
    for (const [name, path] of paths()) {
      const [way, n = ""] = name.split(" ");
      for (const i of path) (signs[i] ||= []).push(SIGNS[way] + n);
    }
    cells = found.map((one) => {
      const key = (one.own ? "" : one.kind) + one.place, cell = kept.get(key) || put(el("div", "", el("b"), el("em")), { dir: "auto" });
      const wordy = one.tall * map.clientHeight >= WORDY, mine = (one.own && signs[one.place]) || [];
      kept.set(key, cell);
      used.add(key);
      cell.className = ["lm-spot", one.kind, ...new Set(mine.map((sign) => sign[0]))].join(" ");
      cell.firstChild.textContent = wordy ? one.said : "";
      cell.lastChild.textContent = wordy ? [mine.length > 3 ? `${mine.length} paths` : mine.join(" "), probability(one.tall)].filter(Boolean).join(" · ") : "";
      Object.assign(cell.style, { left: 100 * one.depth / columns + "%", width: 100 * (one.wide ? columns - one.depth : 1) / columns + "%", top: 100 * one.top + "%", height: 100 * one.tall + "%" });
      if (one.own) cell.style.setProperty("--share", `${Math.round(55 * share(one.place)) + 5}%`);
      if (cell.parentNode !== map) map.append(cell);
      return { ...one, cell, signs: mine };
    });
    for (const [key, cell] of kept) if (!used.has(key)) { cell.remove(); kept.delete(key); }
    heads.replaceChildren(...seenBy(columns).map((sum, i) => el("div", "", el("b", "", `token ${data.start.length + pathTo(at).length + i + 1}`), ` ${(100 * sum).toFixed(0)} % seen`)));
    crumbs.replaceChildren(...crumbLine());
    ways.replaceChildren(pathTable());
    point(null);
  }

  // How much of the whole each column has as tokens, those that ended before included.
  function seenBy(columns) {
    const seen = Array(columns).fill(0), area = { [at]: [1, -1] };
    data.places.forEach((_, i) => {
      if (i <= at || !area[parent(i)]) return;
      const [whole, depth] = area[parent(i)];
      area[i] = [whole * share(i), depth + 1];
      for (let column = depth + 1; column < (state(i) === END ? columns : depth + 2); column++) seen[column] += whole * share(i);
    });
    return seen.map((sum) => Math.min(1, sum));
  }

  function crumbLine() {
    const back = (keep) => () => given.trigger("leave", { keep });
    const steps = [["prompt", data.start.length ? back(0) : () => go(0)], ...data.start.map((word, i) => [label(word), back(i + 1)]), ...pathTo(at).map((i) => [label(text(i)), () => go(i)])];
    return steps.flatMap(([word, act], i) => [i ? el("span", "", "›") : null, put(button("lm-crumb", word, act), { disabled: i === steps.length - 1, dir: "auto" })]).filter(Boolean);
  }

  function pathTable() {
    const rows = paths().map(([name, path, leaves]) => {
      const words = put(el("td", "tok", label(path.map(text).join("")) + (leaves ? " …" : "")), { dir: "auto", title: leaves ? "goes on with a token that the map does not have" : "" });
      return el("tr", "", el("td", "", name), words, el("td", "", probability(along(path, own))), el("td", "", along(path, after) > 0 ? probability(along(path, after)) : "cut off"));
    });
    return table("lm-table lm-paths", ["path", "tokens", "p", "p after the controls"], rows);
  }

  function go(place) {
    at = place;
    draw();
  }
  function enter(one) {
    if (!one?.own || state(one.place) === END) return;
    go(one.place);
    given.trigger("enter", { place: one.place });
  }

  // Says of a cell what it is, of none what the map is.
  function point(one) {
    for (const { cell } of cells) cell.classList.toggle("here", cell === one?.cell);
    here = one;
    if (!one) { said.textContent = `The whole map is probability 1 under ${data.model}${controlled ? " after the controls" : ""}. Point at a cell, or press an arrow key.`; return; }
    const there = one.own ? `; where it stands ${probability(own(one.place))}, after the controls ${after(one.place) > 0 ? probability(after(one.place)) : "cut off"}` : "";
    said.textContent = `${one.said}: probability ${probability(one.tall)} here${there}${one.signs.length ? "; on " + one.signs.join(", ") : ""}`;
  }

  const under = (event) => cells.find((one) => one.cell === event.target.closest(".lm-spot")) || null;
  map.onpointerover = (event) => point(under(event));
  map.onpointerleave = () => point(null);
  map.onclick = (event) => enter(under(event));
  map.onkeydown = (event) => {
    const column = (depth) => cells.filter((one) => one.depth === depth).sort((one, two) => one.top - two.top);
    const step = (by) => { const all = column(here.depth); return all[all.indexOf(here) + by]; };
    // Before a cell stands the one that holds it; behind it the first that it holds.
    const holds = (one, two) => one.top <= two.top + 1e-9 && two.top + 1e-9 < one.top + one.tall;
    const keys = { ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => column(here.depth + 1).find((one) => holds(here, one)), ArrowLeft: () => column(here.depth - 1).find((one) => holds(one, here)), Home: () => column(here.depth)[0], End: () => column(here.depth).at(-1) };
    if (event.key === "Enter") enter(here);
    else if (keys[event.key]) point(here ? keys[event.key]() || here : column(0)[0]);
    else return;
    event.preventDefault();
  };
  new ResizeObserver(draw).observe(map);

  onValue(given, (value) => {
    if (!value) { box.replaceChildren(el("p", "lm-why", "Press Draw the map: it looks some tokens ahead, the most probable ones first.")); return; }
    data = value;
    data.below = data.places.map(() => []);
    data.places.forEach(([before], i) => { if (i) data.below[before].push(i); });
    at = 0;
    if (!map.isConnected) box.replaceChildren(tools, crumbs, heads, map, said, ways);
    draw();
  });
}
