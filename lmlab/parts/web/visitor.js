// Who this browser is: a long random name that stays with it, so that its runs are found again.

export function visitor() {
  const key = "lmlab-visitor", known = /^[0-9a-f]{32}$/;
  try {
    const kept = localStorage.getItem(key);
    if (known.test(kept)) return kept;
  } catch { /* a private window */ }
  if (!window.lmlab.visitorId) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    window.lmlab.visitorId = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  }
  try { localStorage.setItem(key, window.lmlab.visitorId); } catch { /* forgotten with the page */ }
  return window.lmlab.visitorId;
}
