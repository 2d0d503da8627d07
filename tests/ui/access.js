// What tests/ui/test_access.py asks of a page. Needs axe-core before it.
window.access = (() => {
  let controls = [], places = new Set();

  // Serious and critical violations of what is shown and leaps between headings, by rule and place; of all rules if none is named.
  async function serious(rules) {
    const options = { resultTypes: ["violations"] };
    // A long text has more tokens of the same kinds.
    const place = { include: [["html"]], exclude: [[".lm-tok:nth-child(n+40)"]] };
    if (rules.length) options.runOnly = { type: "rule", values: rules };
    const { violations } = await axe.run(place, options);
    const counts = ({ id, impact }) => ["serious", "critical"].includes(impact) || id === "heading-order";
    return violations.filter(counts).flatMap(
      ({ id, nodes }) => nodes.map(({ target, html, any }) =>
        `${id}: ${target} ${html.slice(0, 140)} ${any.map(({ message }) => message)}`));
  }

  const width = () => document.documentElement.clientWidth;

  function held(node) {
    for (let box = node.parentElement; box && box !== document.body; box = box.parentElement) {
      const clips = getComputedStyle(box).overflowX !== "visible";
      if (clips && box.getBoundingClientRect().right <= width() + 1) return true;
    }
    return false;
  }

  // What stands out of the window and is in no box that scrolls or clips; buttons whose words do not fit.
  function sideways() {
    const out = [...document.body.querySelectorAll("*")].filter((node) => {
      const box = node.getBoundingClientRect();
      return box.width && box.height && box.right > width() + 1 && !held(node);
    });
    // An accordion's arrow is a turned box, wider than it looks.
    const cut = [...document.querySelectorAll("button:not(.label-wrap)")].filter((node) => node.offsetParent
      && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "visible");
    return [...out.map((node) => "stands out: " + node.outerHTML.slice(0, 100)),
      ...cut.map((node) => "cut: " + node.outerHTML.slice(0, 100))];
  }

  // What a keyboard should come to: one of a group of radio buttons stands for all of them.
  function list() {
    // Gradio's menu of tabs is out of sight as long as all of them fit.
    const kinds = "a[href], button:not(:disabled, [aria-label='More tabs']), input:not(:disabled), select, textarea, summary";
    const groups = new Set();
    controls = [...document.querySelectorAll(kinds + ", [tabindex='0']")].filter((node) => {
      if (node.tabIndex < 0 || !node.checkVisibility({ visibilityProperty: true })) return false;
      if (node.type !== "radio") return true;
      return !groups.has(node.name) && groups.add(node.name);
    });
    controls[0].focus();
    places = new Set([0]);
  }

  const stands = (node) => {
    const style = node && getComputedStyle(node);
    return !!style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  // A radio button of our own lies unseen over its words, which show the focus by a shadow.
  const shaded = (node) => !!node && getComputedStyle(node).boxShadow !== "none";

  // What has the focus, if anything: whether it is the first control again, and whether one sees it.
  function focus() {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const place = controls.findIndex((node) => node === at
      || (at.type === "radio" && node.type === "radio" && node.name === at.name));
    places.add(place);
    const shown = stands(at) || (at.type === "radio" && shaded(at.nextElementSibling));
    return { first: place === 0, shown, html: at.outerHTML.slice(0, 140) };
  }

  // The controls that the focus has not come to, but for those that were drawn anew meanwhile.
  const missed = () => controls.filter((node, place) => node.isConnected && !node.disabled && !places.has(place))
    .map((node) => node.outerHTML.slice(0, 140));

  return { serious, sideways, list, focus, missed };
})();
