// Text becomes DOM by text nodes only. Parts of the page tell each other by events of the document.

/** An element with texts, numbers and elements inside; null stands for nothing.
 * @param {string} tag @param {string} [className] @param {any[]} inside @returns {any} */
export function el(tag, className, ...inside) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...inside.filter((one) => one != null));
  return node;
}

/** Gives an element attributes and properties. @param {any} node @param {object} fields */
export function put(node, fields) {
  for (const [name, value] of Object.entries(fields)) {
    if (name === "role" || name.startsWith("aria-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  return node;
}

export const button = (className, inside, onclick, fields = {}) => put(el("button", className, inside), { type: "button", onclick, ...fields });

export const cells = (texts, tag = "td") => texts.map((text) => el(tag, "", text));

export const table = (className, heads, rows) =>
  el("table", className, el("thead", "", el("tr", "", ...cells(heads, "th"))), el("tbody", "", ...rows));

/** A row that asks for something by a click or the Enter key. */
export const asking = (row, act) => put(row, { tabIndex: 0, onclick: act, onkeydown: (event) => { if (event.key === "Enter") act(); } });

/** The parts of an element by the ends of their classes. */
export const partsOf = (element, start, ...names) => Object.fromEntries(names.map((name) => [name, element.querySelector(start + name)]));

/** Has `draw` get a component's value, now and whenever another comes; null where none came yet. */
export function onValue({ props, watch }, draw) {
  const act = () => {
    let value = null;
    try { value = JSON.parse(props.value); } catch { /* nothing came yet */ }
    draw(value);
  };
  act();
  watch("value", act);
}

// What this browser keeps; in a private window nothing.
export function remembered(name) {
  try { return localStorage.getItem("lmlab-" + name); } catch { return null; }
}
export function remember(name, value) {
  try { localStorage.setItem("lmlab-" + name, value); } catch { /* forgotten with the page */ }
}

// One shared state a page: what each group shows, and which token is looked at.
window.lmlab = window.lmlab || { shown: {} };

export function tell(name, detail) {
  document.dispatchEvent(new CustomEvent("lmlab:" + name, { detail }));
}

export function onTold(element, name, handler) {
  const listener = (event) => {
    if (!element.isConnected) document.removeEventListener("lmlab:" + name, listener);
    else handler(event.detail);
  };
  document.addEventListener("lmlab:" + name, listener);
}

// Has `act` follow whenever a button that is seen has become free or is no more; gives what ends that.
export function onTurn(act) {
  const listener = ({ animationName }) => { if (/^lm-(free|held)$/.test(animationName)) act(); };
  document.addEventListener("animationstart", listener);
  return () => document.removeEventListener("animationstart", listener);
}

// Has `act` follow, now and whenever something new is seen that the style sheet names under `lm-here`:
// an animation of nothing tells of it, so that nobody has to watch the whole page.
export function onHere(act, after = 0) {
  let timer = 0;
  const later = () => { timer = 0; act(); };
  document.addEventListener("animationstart", ({ animationName }) => {
    if (animationName === "lm-here" && !timer) timer = setTimeout(later, after);
  });
  later();
}
