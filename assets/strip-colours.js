// How a strip is coloured, and what its colours mean. A part of strip.js, which comes after it.
const FIRST = props.colour_by || "surprisal";

// Whether what is shown has a value for a measure.
const offered = (key) => data.measures.includes(key);

// The comparison's own measure when two models come, what was chosen before when one goes.
function chooseMeasure() {
  const own = data.pieces ? "per_byte" : "difference";
  if (data.same && !measureOf(measure).pair) { before = measure; measure = own; }
  if (!data.same && measureOf(measure).pair) measure = before || FIRST;
  if (!offered(measure)) measure = data.same ? own : FIRST;
  for (const box of element.querySelectorAll(".lm-measures label")) {
    box.hidden = !offered(box.firstChild.value);
    box.firstChild.checked = box.firstChild.value === measure;
  }
  colour();
}

function colour() {
  const letter = measureOf(measure).diverging ? "d" : "b";
  spans.forEach((made, run) => made.forEach((span, i) => {
    const value = valueOf(data.runs, run, i, measure);
    const bin = value == null ? "" : letter + level(value, measure);
    if (span.bin !== bin) {
      if (span.bin) span.classList.remove(span.bin);
      if (bin) span.classList.add(bin);
      span.bin = bin;
    }
  }));
  legend(letter);
}

function legend(letter) {
  const m = measureOf(measure), cells = el("span", "lm-cells");
  m.labels.forEach((text, n) => cells.append(el("i", letter + n, text)));
  const formula = m.pair && m.diverging ? "positive: the first model is more surprised" : m.formula;
  const parts = [lowered(formula), cells, el("span", "", m.unit)];
  if (data.runs.some((r) => r.logprob[0] === null)) parts.push(el("i", "lm-tok none", "not scored"));
  $(".lm-legend").replaceChildren(...parts);
}

// "x_{i}" with the i set low.
function lowered(text) {
  const node = el("span", "lm-formula");
  text.split(/_\{(.*?)\}/).forEach((part, n) => node.append(n % 2 ? el("sub", "", part) : part));
  return node;
}

function measures() {
  for (const m of KEY.measures) {
    const box = el("label", m.key), input = el("input");
    input.type = "radio";
    input.name = group + "-measure";
    input.value = m.key;
    input.onchange = () => {
      measure = m.key;
      if (!m.pair) before = m.key;
      if (data) colour();
      tell("measure", { group, key: m.key });
    };
    box.title = m.about;
    box.append(input, el("span", "", m.label));
    $(".lm-measures").append(box);
  }
}
