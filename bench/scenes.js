// Kept in the page by bench/scenes.py: when a scene came, by the page's own clock, in ms from the key.
window.lmWatch = (() => {
  const bar = document.querySelector("#lecture .lm-lecture");
  let began = 0, changed = 0, states = {}, looked = [];
  const named = (tab, name) => document.getElementById(tab + "-" + name) || document.getElementById(name);
  const held = (node) => node && (node.matches("input, textarea") || node.querySelector("input, textarea") || /\w/.test(node.textContent));

  new MutationObserver(() => { states[bar.dataset.state] ??= performance.now(); })
    .observe(bar, { attributes: true, attributeFilter: ["data-state"] });
  // What is not to be looked at may go on changing.
  new MutationObserver((records) => {
    const nodes = looked.map(([tab, name]) => named(tab, name)).filter(Boolean);
    if (records.some(({ target }) => nodes.some((node) => node.contains(target)))) changed = performance.now();
  }).observe(document.body, { childList: true, subtree: true, characterData: true });

  const working = () => [...document.querySelectorAll('[role="tabpanel"] button')]
    .some((button) => button.textContent.trim() === "Stop" && !button.disabled && button.offsetParent);

  return {
    begin(tab, marks) {
      bar.dataset.state = "";
      looked = marks.map((name) => [tab, name]);
      states = {};
      began = changed = performance.now();
    },

    // Filled in, pressed, shown; null while it has not come. A live scene comes with its first step.
    came(still, marks, tab, live) {
      const now = performance.now();
      if (!states.ready || !marks.every((name) => held(named(tab, name)))) return null;
      if (!live && working()) changed = now;
      const running = /step\s*\d/i.test(named(tab, "monitor")?.textContent);
      if (live ? !running : now - changed < still) return null;
      return [states.pressing ?? states.ready, states.ready, live ? now : Math.max(changed, states.ready)].map((time) => time - began);
    },

    running(tab) {
      const stop = named(tab, "stop");
      return Boolean(stop && !stop.disabled && stop.offsetParent);
    },
  };
})();
