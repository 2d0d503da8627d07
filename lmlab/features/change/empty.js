// What stands where nothing can be drawn: {title, said}, or what stood there first.
import { el } from "../../parts/web/dom.js";

export function emptied(box, news) {
  box.first ??= [...box.childNodes];
  const told = news?.said ? [el("b", "", news.title), document.createTextNode(news.said)] : box.first;
  box.replaceChildren(...told);
}
