// Has every event of the tab tell the server who asks: their `js` puts this name before what is
// sent. Needs tuning-visitor.js before it.
window.lmlab.visitor = visitor;
