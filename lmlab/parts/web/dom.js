// Text becomes DOM by textContent only. Parts of the page tell each other by events of the document.

export function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text != null) node.textContent = text;
  return node;
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
