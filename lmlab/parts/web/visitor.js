// Who this browser is: a long random name that stays with it, so that its runs are found again.
import { remember, remembered } from "./dom.js";

export function visitor() {
  const kept = remembered("visitor");
  if (/^[0-9a-f]{32}$/.test(kept)) return kept;
  window.lmlab.visitorId ||= [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  remember("visitor", window.lmlab.visitorId);
  return window.lmlab.visitorId;
}
