// Stands in a tab that was made when it was opened: has what the tab does at first be done, unless a
// scene or a link is about to fill it in; then once that is over. Needs common.js before it.
const begin = () => trigger("open", {});
window.lmlab.made = window.lmlab.made || {};
window.lmlab.made[props.tab] = begin;
if (!window.lmlab.led?.has(props.tab)) begin();
tell("made", { tab: props.tab });
