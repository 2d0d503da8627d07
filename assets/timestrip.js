// A part of timemachine.js, put at the end of the strip's own code, whose variables it shares: shows
// another model's view of the same text without drawing the text anew.
function turnTo(run) {
  if (!data || !data.runs.length) return;
  data.runs[0] = run;
  colour();
  if (pin) slide($(".lm-pinned"), drawPin);
  if (cursor && $(".lm-card").classList.contains("show")) drawCard($(".lm-card"), data, cursor.run, cursor.i, look);
  tell("shown", { group, data });
}

// Has the bars of a distribution move from where they were to where they are now drawn.
function slide(panel, redraw) {
  const places = new Map();
  const name = (row) => row.querySelector("b").textContent + (row.classList.contains("rest") ? "\0" : "");
  for (const row of panel.querySelectorAll(".lm-bar")) {
    places.set(name(row), [row.getBoundingClientRect().top - panel.getBoundingClientRect().top, row.querySelector("i").style.width]);
  }
  redraw();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of panel.querySelectorAll(".lm-bar")) {
    const old = places.get(name(row)), bar = row.querySelector("i"), time = { duration: 320, easing: "ease-out" };
    if (!old) { row.animate([{ opacity: 0 }, { opacity: 1 }], time); continue; }
    const top = row.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    row.animate([{ transform: `translateY(${old[0] - top}px)` }, { transform: "none" }], time);
    bar.animate([{ width: old[1] }, { width: bar.style.width }], time);
  }
}

function pinAt(i) {
  if (!pin && spans[0]?.[i]) setPin({ run: 0, i });
}
