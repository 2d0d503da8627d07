// What stands where nothing can be drawn: {title, said}. Needs common.js before it.
function emptied(box, news) {
  box.replaceChildren(el("b", "", news.title), document.createTextNode(news.said));
}
