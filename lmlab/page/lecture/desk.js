// The presenter's window: the two tell each other by a channel of this browser, whose name the window's
// address holds, so that either finds the other again when it is loaded anew.

/** @param {{told: () => any, press: (key: string) => void, jump: (name: string) => void, resume: (told: any) => void}} lecture */
export function desk({ told, press, jump, resume }) {
  let id = String(Math.random()).slice(2);
  try {
    id = sessionStorage.getItem("lmlab-desk") || id;
    sessionStorage.setItem("lmlab-desk", id);
  } catch { /* private window */ }
  const channel = new BroadcastChannel("lmlab-desk-" + id);
  const tell = () => channel.postMessage({ told: told() });
  const acts = { press, jump, resume, ask: tell };
  channel.onmessage = ({ data }) => Object.entries(data).forEach(([name, value]) => acts[name]?.(value));

  function open() {
    const place = document.querySelector("meta[name=lmlab-files]").content;
    const address = new URL(`${place}/page/lecture/presenter.html#${id}`, document.baseURI);
    window.open(address, "lmlab-desk-" + id, "popup,width=960,height=680")?.focus();
  }

  /** Where the lecture was, if this page has been loaded anew and the window still knows. */
  function again() {
    const [page] = performance.getEntriesByType("navigation");
    if (page instanceof PerformanceNavigationTiming && page.type === "reload") channel.postMessage({ again: true });
  }

  return { tell, open, again };
}
