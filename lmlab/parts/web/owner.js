// Has every event of the tab tell the server who asks: their `js` puts this name before what is
// sent.
import { visitor } from "./visitor.js";

export function mount() {
  window.lmlab.visitor = visitor;
}
