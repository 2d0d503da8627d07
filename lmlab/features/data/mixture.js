// What a model was trained on: parts with sizes, weights that can be turned, and the epochs that
// follow. epochs = weight · total / size, the same as lmlab.features.data.mixtures.
import { el } from "../../parts/web/dom.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  let all = null, shown = 0, warn = 4;
  const root = element.querySelector(".lm-mix"), body = el("div", "lm-mixbody");

  const percent = (x) => (x < 1 ? x.toFixed(2) : x.toFixed(1));
  const amount = (x, digits) => x.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  function turns(epochs) {
    return epochs >= 100 ? epochs.toFixed(0) : epochs >= 10 ? epochs.toFixed(1) : epochs.toFixed(2);
  }

  // A field's number, or null where it holds none.
  function numberOf(box, high) {
    const value = box.value.trim() === "" ? NaN : Number(box.value);
    return Number.isFinite(value) && value >= 0 ? Math.min(value, high) : null;
  }

  function chooser() {
    const box = el("div", "lm-measures");
    box.setAttribute("role", "radiogroup");
    box.setAttribute("aria-label", "Mixture");
    all.forEach((mixture, i) => {
      const label = el("label"), input = el("input");
      input.type = "radio";
      input.name = "lm-mixture";
      input.checked = i === shown;
      input.onchange = () => { shown = i; draw(); };
      label.append(input, el("span", "", mixture.name));
      box.append(label);
    });
    return box;
  }

  // Two bars one above the other: what there is, and what is read of it.
  function stacked(mixture, title, values) {
    const line = el("div", "lm-stackline"), bar = el("div", "lm-stack"), sum = values.reduce((a, b) => a + b, 0);
    mixture.parts.forEach((part, i) => {
      const share = sum ? values[i] / sum : 0, piece = el("i", "s" + (i % 8), share > 0.07 ? part.name : "");
      piece.style.flexGrow = share;
      piece.title = `${part.name}: ${percent(100 * share)} %`;
      bar.append(piece);
    });
    line.append(el("span", "", title), bar);
    return line;
  }

  function weightCell(mixture, i) {
    const cell = el("td", "weight"), slider = el("input"), box = el("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = 100;
    slider.step = 0.1;
    box.type = "number";
    box.min = 0;
    box.max = 100;
    box.step = "any";
    for (const one of [slider, box]) one.setAttribute("aria-label", `weight of ${mixture.parts[i].name}, per cent`);
    slider.oninput = () => { mixture.weights[i] = Number(slider.value); fill(i, slider); };
    box.oninput = () => {
      const value = numberOf(box, 100);
      box.toggleAttribute("aria-invalid", value === null);
      if (value !== null) { mixture.weights[i] = value; fill(i, box); }
    };
    cell.append(slider, box, el("span", "unit", "%"));
    return cell;
  }

  function row(mixture, i) {
    const part = mixture.parts[i], tr = el("tr"), name = el("th", "name");
    name.scope = "row";
    name.append(el("b", "", part.name), el("small", "", part.about));
    const size = el("td", "size", amount(part.size, mixture.digits));
    size.dataset.label = mixture.unit;
    const epochs = el("td", "epochs"), track = el("span", "lm-turns");
    track.append(el("i"), el("em", "four"));
    epochs.append(track, el("b"), el("span", "past"));
    const told = el("td", "told", part.told === null ? "–" : String(part.told));
    told.dataset.label = mixture.told;
    const why = el("td", "why " + part.agreement, part.words);
    tr.append(name, size, weightCell(mixture, i), epochs, told, why);
    return tr;
  }

  function table(mixture) {
    const node = el("table", "lm-table lm-mixtable"), head = el("tr"), rows = el("tbody"), top = el("thead");
    for (const name of ["part", mixture.unit, "weight", "epochs, computed", "epochs, " + mixture.told, "why they differ"]) {
      const th = el("th", "", name);
      th.scope = "col";
      head.append(th);
    }
    top.append(head);
    rows.append(...mixture.parts.map((_, i) => row(mixture, i)));
    node.append(top, rows);
    return node;
  }

  function totalLine(mixture) {
    const line = el("div", "lm-mixtotal"), label = el("label"), box = el("input"), slider = el("input");
    box.type = "number";
    box.min = 0;
    box.step = "any";
    box.className = "total";
    slider.type = "range";
    slider.className = "total";
    slider.min = -1;
    slider.max = 1.5;
    slider.step = 0.01;
    slider.setAttribute("aria-label", `${mixture.unit} read in training, as a multiple, logarithmic`);
    slider.oninput = () => { mixture.amount = Number((mixture.total * 10 ** Number(slider.value)).toPrecision(3)); fill(-1, slider); };
    box.oninput = () => {
      const value = numberOf(box, 1e12);
      box.toggleAttribute("aria-invalid", value === null);
      if (value !== null) { mixture.amount = value; fill(-1, box); }
    };
    label.append(el("span", "", "Read in training"), box, el("span", "", mixture.unit));
    line.append(label, slider, el("span", "lm-mixsum"));
    line.append(tool("Scale to 100 %", "lm-scale", () => {
      const sum = mixture.weights.reduce((a, b) => a + b, 0);
      if (sum) mixture.weights = mixture.weights.map((w) => 100 * w / sum);
    }), tool("As " + mixture.told, "lm-again", () => again(mixture)));
    return line;
  }

  function tool(text, name, act) {
    const button = el("button", "lm-tool " + name, text);
    button.type = "button";
    button.onclick = () => { act(); fill(-1, null); };
    return button;
  }

  function again(mixture) {
    mixture.weights = mixture.parts.map((part) => part.weight);
    mixture.amount = mixture.total;
  }

  function sourceLine(mixture) {
    const line = el("p", "lm-why lm-mixsource", mixture.remark + " Source: ");
    const link = mixture.link ? el("a", "", mixture.source) : el("span", "", mixture.source);
    if (mixture.link) {
      link.href = mixture.link;
      link.target = "_blank";
      link.rel = "noopener";
    }
    line.append(link, document.createTextNode("."));
    return line;
  }

  // Puts the numbers in; ``from`` is the field that is being typed into and keeps what it holds.
  function fill(changed, from) {
    const mixture = all[shown], { weights, amount: read } = mixture;
    const epochs = mixture.parts.map((part, i) => weights[i] / 100 * read / part.size);
    const most = Math.max(5, ...epochs) * 1.04, own = weights.every((w, i) => w === mixture.parts[i].weight) && read === mixture.total;
    root.querySelector(".lm-stacks").replaceChildren(
      stacked(mixture, "what there is", mixture.parts.map((part) => part.size)),
      stacked(mixture, "what is read", weights));
    root.querySelectorAll("tbody tr").forEach((tr, i) => {
      const [slider, box] = tr.querySelectorAll(".weight input"), past = epochs[i] > warn;
      if (slider !== from) slider.value = weights[i];
      if (box !== from) { box.value = Number(weights[i].toFixed(3)); box.removeAttribute("aria-invalid"); }
      const track = tr.querySelector(".lm-turns");
      track.querySelector("i").style.width = 100 * epochs[i] / most + "%";
      track.querySelector(".four").style.left = 100 * warn / most + "%";
      tr.classList.toggle("over", past);
      tr.querySelector(".epochs b").textContent = turns(epochs[i]);
      tr.querySelector(".past").textContent = past ? "⚠ past " + warn : "";
      tr.querySelector(".why").textContent = own ? mixture.parts[i].words : "";
    });
    const [box, slider] = root.querySelectorAll("input.total");
    if (box !== from) { box.value = read; box.removeAttribute("aria-invalid"); }
    if (slider !== from) slider.value = Math.log10(Math.max(read, 1e-9) / mixture.total);
    sums(mixture, epochs, own);
  }

  function sums(mixture, epochs, own) {
    const sum = mixture.weights.reduce((a, b) => a + b, 0), off = Math.abs(sum - 100) > 0.05;
    root.querySelector(".lm-mixsum").textContent = `Weights add to ${sum.toFixed(1)} %` + (off ? ", not to 100." : ".");
    root.querySelector(".lm-scale").disabled = !off || !sum;
    root.querySelector(".lm-again").disabled = own;
    const past = mixture.parts.filter((_, i) => epochs[i] > warn).map((part) => part.name);
    const said = root.querySelector(".lm-mixwarn");
    said.classList.toggle("warn", past.length > 0);
    said.textContent = (past.length
      ? `⚠ ${past.length} of ${epochs.length} parts past ${warn} epochs: ${past.slice(0, 6).join(", ")}${past.length > 6 ? " …" : ""}. `
      : `No part is read more than ${warn} times. `)
      + `Up to about ${warn} epochs, repeated text serves nearly as well as new text; beyond, it adds less and less (Muennighoff et al. 2023).`;
  }

  function draw() {
    const mixture = all[shown], scroll = el("div", "lm-scroll lm-mixscroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Parts of " + mixture.name);
    scroll.append(table(mixture));
    const notes = el("div", "lm-notes"), said = el("p", "lm-mixwarn");
    said.setAttribute("role", "status");
    notes.append(said);
    body.replaceChildren(el("div", "lm-stacks"), totalLine(mixture), scroll, notes, sourceLine(mixture));
    fill(-1, null);
  }

  function arrived() {
    let value = null;
    try { value = JSON.parse(props.value); } catch { return; }
    warn = value.warn;
    all = value.mixtures;
    all.forEach(again);
    shown = 0;
    root.replaceChildren(chooser(), body);
    draw();
  }

  arrived();
  watch("value", arrived);
}
