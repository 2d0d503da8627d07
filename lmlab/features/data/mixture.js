// What a model was trained on: weights that can be turned, and the epochs that follow.
// epochs = weight · total / size, the same as lmlab.features.data.mixtures.

const percent = (x) => (x < 1 ? x.toFixed(2) : x.toFixed(1));
const turns = (epochs) => epochs.toFixed(epochs >= 100 ? 0 : epochs >= 10 ? 1 : 2);
const sumOf = (values) => values.reduce((a, b) => a + b, 0);

// A pair of a slider and a box for one number, which follow each other.
function pair(slider, box, high, take) {
  slider.oninput = () => take(Number(slider.value), slider);
  box.oninput = () => {
    const value = box.value.trim() === "" ? NaN : Number(box.value), wrong = !Number.isFinite(value) || value < 0;
    box.toggleAttribute("aria-invalid", wrong);
    if (!wrong) take(Math.min(value, high), box);
  };
  // Puts a number in; the one that it comes from keeps what it holds.
  return (shown, value, from) => {
    if (slider !== from) slider.value = shown;
    if (box !== from) { box.value = value; box.removeAttribute("aria-invalid"); }
  };
}

// One mixture; `body` is as the server has drawn it.
function wire(body, warn) {
  const part = (name) => body.querySelector(name), total = Number(body.dataset.total);
  const rows = [...body.querySelectorAll("tbody tr")].map((tr) => ({
    tr, name: tr.dataset.name, size: Number(tr.dataset.size), told: Number(tr.dataset.weight), weight: Number(tr.dataset.weight), why: tr.querySelector(".why").textContent,
  }));
  let read = total;
  const puts = rows.map((row) => pair(...row.tr.querySelectorAll(".weight input"), 100, (value, from) => { row.weight = value; fill(from); }));
  const [box, slider] = body.querySelectorAll("input.total");
  const put = pair(slider, box, 1e12, (value, from) => { read = from === slider ? Number((total * 10 ** value).toPrecision(3)) : value; fill(from); });
  part(".lm-scale").onclick = () => {
    const sum = sumOf(rows.map((row) => row.weight));
    rows.forEach((row) => { row.weight *= 100 / sum; });
    fill();
  };
  part(".lm-again").onclick = again;

  function again() {
    read = total;
    rows.forEach((row) => { row.weight = row.told; });
    fill();
  }

  // Two bars one above the other: what there is, and what is read of it.
  function stack(bar, values) {
    const sum = sumOf(values);
    [...bar.children].forEach((piece, i) => {
      const share = sum ? values[i] / sum : 0;
      piece.textContent = share > 0.07 ? rows[i].name : "";
      piece.style.flexGrow = share;
      piece.title = `${rows[i].name}: ${percent(100 * share)} %`;
    });
  }

  function fill(from) {
    const epochs = rows.map((row) => row.weight / 100 * read / row.size), most = Math.max(5, ...epochs) * 1.04;
    const own = rows.every((row) => row.weight === row.told) && read === total, [there, taken] = body.querySelectorAll(".lm-stack");
    stack(there, rows.map((row) => row.size));
    stack(taken, rows.map((row) => row.weight));
    rows.forEach((row, i) => {
      const past = epochs[i] > warn, one = (name) => row.tr.querySelector(name);
      puts[i](row.weight, Number(row.weight.toFixed(3)), from);
      one(".lm-turns i").style.width = 100 * epochs[i] / most + "%";
      one(".four").style.left = 100 * warn / most + "%";
      row.tr.classList.toggle("over", past);
      one(".epochs b").textContent = turns(epochs[i]);
      one(".past").textContent = past ? "⚠ past " + warn : "";
      one(".why").textContent = own ? row.why : "";
    });
    put(Math.log10(Math.max(read, 1e-9) / total), read, from);
    sums(rows.filter((_, i) => epochs[i] > warn).map((row) => row.name), own);
  }

  function sums(past, own) {
    const sum = sumOf(rows.map((row) => row.weight)), off = Math.abs(sum - 100) > 0.05, said = part(".lm-mixwarn");
    part(".lm-mixsum").textContent = `Weights add to ${sum.toFixed(1)} %` + (off ? ", not to 100." : ".");
    part(".lm-scale").disabled = !off || !sum;
    part(".lm-again").disabled = own;
    said.classList.toggle("warn", past.length > 0);
    said.textContent = (past.length
      ? `⚠ ${past.length} of ${rows.length} parts past ${warn} epochs: ${past.slice(0, 6).join(", ")}${past.length > 6 ? " …" : ""}. `
      : `No part is read more than ${warn} times. `)
      + `Up to about ${warn} epochs, repeated text serves nearly as well as new text; beyond, it adds less and less (Muennighoff et al. 2023).`;
  }

  again();
}

/** @param {HTMLElement} element */
export function mount(element) {
  const root = element.querySelector(".lm-mix"), chooser = root.firstElementChild, bodies = [...root.querySelectorAll(".lm-mixbody")];
  const show = (i) => root.replaceChildren(chooser, bodies[i]);
  bodies.forEach((body) => wire(body, Number(root.dataset.warn)));
  chooser.querySelectorAll("input").forEach((input, i) => { input.onchange = () => show(i); });
  show(0);
}
