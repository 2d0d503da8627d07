// A run as it goes: progress, figures, curves and samples. Asks the server for what is new since
// last time, so that a page that was closed finds the whole curve again.
import { newAxis, newChart, redraw } from "./chart.js";
import { el, onTold, partsOf, put } from "./dom.js";
import { count, fixed } from "./format.js";
import { visitor } from "./visitor.js";

export function watchRun(element, { props, watch, trigger, server }, drawSamples, grows = false) {
  const OFTEN = 450, SELDOM = 2500, LATE = 15000; // milliseconds
  const GOING = new Set(["queued", "running", "stopping"]);
  const box = element.querySelector(".lm-monitor");
  const parts = partsOf(box, ".lm-run-", "head", "numbers", "charts", "samples", "empty");
  const LOSS = [
    { key: "loss", name: "train", kind: "faint", ink: "--lm-c0" }, { key: "smooth", name: "smoothed", kind: "line", ink: "--lm-c0" },
    { key: "valid", name: "held out", kind: "dots", ink: "--lm-c1" }, { key: "probe", name: "general text", kind: "dots", ink: "--lm-c2", dash: [6, 4] },
  ];
  // Lines that a model from nothing is measured against, where its run tells them.
  const LEVELS = [
    { key: "uniform", name: "ln V", kind: "level", ink: "--lm-c4", dash: [3, 5] },
    { key: "unigram", name: "token frequencies", kind: "level", ink: "--lm-c3", dash: [10, 5] },
    { key: "base", name: "the shipped base", kind: "level", ink: "--lm-c2", dash: [10, 4, 2, 4] },
  ];
  let run = null, timer = 0, round = 0, told = "";
  const axis = newAxis();

  // --- what is drawn -------------------------------------------------------------------------------

  function fresh(name) {
    parts.samples.replaceChildren();
    run = { name, have: 0, state: "", title: "", plan: null, size: null, end: null, last: null, lost: [], speed: [], samples: new Map(), levels: null, known: null, evals: [], mean: 0, weight: 0 };
    Object.assign(axis, { series: {}, total: 1, from: null, to: null, at: null });
    for (const key of ["loss", "smooth", "rate", "norm", "valid", "probe", "accuracy", "bits", "known", "uniform", "unigram", "base"]) axis.series[key] = { x: [], y: [] };
  }

  function point(key, x, y) {
    const line = axis.series[key];
    // A run that went on from a checkpoint makes some of its steps again.
    while (line.x.length && line.x[line.x.length - 1] >= x) { line.x.pop(); line.y.pop(); }
    line.x.push(x);
    line.y.push(y);
  }

  function smoothed(loss) {
    if (loss == null) return null;
    run.mean = 0.9 * run.mean + 0.1 * loss;
    run.weight = 0.9 * run.weight + 0.1;
    return run.mean / run.weight;
  }

  function drawLevels() {
    for (const { key } of LEVELS) {
      const value = run.levels?.[key];
      if (value != null) axis.series[key] = { x: [0, axis.total], y: [value, value] };
    }
  }

  function sampled(one) {
    const kept = run.samples.get(one.index) || { before: null, now: null, all: [] };
    kept[one.step === 0 ? "before" : "now"] = one;
    // A run that went on from a checkpoint writes some of its samples again.
    kept.all = [...kept.all.filter((other) => other.step < one.step), one];
    if (one.words != null) known(one);
    run.samples.set(one.index, kept);
    run.sampled = true;
  }

  // The share of words that the text has, over all samples of a step.
  function known(one) {
    const last = run.known && run.known.step === one.step ? run.known : { step: one.step, sum: 0, n: 0 };
    run.known = { step: one.step, sum: last.sum + one.words, n: last.n + 1 };
    point("known", one.step, (100 * run.known.sum) / run.known.n);
  }

  // What is done with each kind of event, as run_views.news tells of them.
  const TAKEN = {
    plan: (plan) => { run.plan = plan; axis.total = plan.steps; run.end = null; drawLevels(); },
    lost: (line) => run.lost.push(line),
    levels: (levels) => { run.levels = levels; drawLevels(); },
    step: (step, loss, rate, norm, ...took) => {
      for (const [key, value] of Object.entries({ loss, smooth: smoothed(loss), rate, norm })) point(key, step, value);
      run.speed = [...run.speed, took].slice(-20);
      run.last = step;
    },
    eval: (step, valid, probe, accuracy, bits) => {
      for (const [key, value] of Object.entries({ valid, probe, accuracy, bits })) if (value != null) point(key, step, value);
    },
    sized: (size) => { run.size = size; },
    sample: sampled,
    end: (end) => { run.end = end; },
  };

  function take({ events, have, state, title, said, place }) {
    for (const [kind, ...told] of events) TAKEN[kind](...told);
    Object.assign(run, { have, state, title, said, place });
  }

  // --- figures -------------------------------------------------------------------------------------

  const SAID = { queued: "waiting", running: "running", stopping: "stopping", done: "finished", stopped: "stopped", limit: "stopped at a limit", failed: "failed", interrupted: "interrupted" };
  const latest = (key) => { const { y } = axis.series[key]; return y.length ? y[y.length - 1] : null; };
  const first = (key) => axis.series[key].y[0];

  function clock(seconds) {
    if (!isFinite(seconds)) return "–";
    const whole = Math.max(0, Math.round(seconds)), minutes = Math.floor(whole / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return minutes ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
  }

  function heading() {
    const total = run.plan ? run.plan.steps : 0, share = total ? (run.last || 0) / total : 0;
    const bar = el("i"), [lines, are] = run.lost.length === 1 ? ["Line", "is"] : ["Lines", "are"];
    const line = el("div", "lm-runline", el("b", "", run.title), el("span", "lm-state " + run.state, SAID[run.state] || run.state),
      run.state === "queued" ? el("span", "lm-sub", run.place >= 0 ? `place ${run.place + 1} in the queue` : "starts now") : null,
      run.said ? el("span", "lm-said2", run.said) : null);
    bar.style.width = 100 * Math.min(1, share) + "%";
    const track = put(el("div", "lm-track", bar), {
      role: "progressbar", "aria-label": "Steps that were made", "aria-valuenow": Math.round(100 * share), "aria-valuemin": 0, "aria-valuemax": 100,
    });
    const lost = run.lost.length ? [`${lines} ${run.lost.slice(0, 5).join(", ")}${run.lost.length > 5 ? " and others" : ""} of the run's log, metrics.jsonl, cannot be read and ${are} left out; all else is kept.`] : [];
    const sized = run.size && run.size.told ? [run.size.told] : [];
    const notes = [...(run.plan ? run.plan.warnings : []), ...sized, ...lost].map((text) => el("p", "", text));
    parts.head.replaceChildren(line, track, el("div", "lm-notes", ...notes));
  }

  const number = (name, value, small) => el("div", "lm-num2", el("b", "", value, ...(small ? [" ", el("small", "", small)] : [])), el("span", "", name));

  // Seconds until the end: of the steps, as the last ones went, and of the evaluations to come.
  function ahead(total, done, seconds) {
    if (!seconds) return Infinity;
    const steps = (total - done) * (seconds / run.speed.length), size = run.size;
    if (!size) return steps;
    const looks = size.every ? Math.ceil(total / size.every) - Math.floor(done / size.every) : done < total ? 1 : 0;
    return steps + looks * size.seconds;
  }

  function numbers() {
    const total = run.plan ? run.plan.steps : 0, done = run.last || 0;
    const [tokens, seconds] = run.speed.reduce(([t, s], [a, b]) => [t + a, s + b], [0, 0]);
    const change = (key) => { const now = latest(key); return now == null ? ["–"] : [fixed(now, 3), axis.series[key].y.length > 1 ? "from " + fixed(first(key), 3) : ""]; };
    const forgot = axis.series.probe.y.length > 1 ? latest("probe") - first("probe") : null;
    const left = GOING.has(run.state) ? ahead(total, done, seconds) : null;
    const made = [
      number("step", count(done), total ? "of " + count(total) : ""),
      number("train loss, nats", latest("smooth") == null ? "–" : fixed(latest("smooth"), 3)),
      number("held-out loss", ...change("valid")),
      number("forgetting, nats", forgot == null ? "–" : (forgot > 0 ? "+" : "") + fixed(forgot, 3)),
      number("tokens a second", seconds ? count(Math.round(tokens / seconds)) : "–"),
      left == null ? number("took", run.end ? clock(run.end.seconds) : "–") : number("left, about", clock(left)),
    ];
    if (grows) {
      const bits = latest("bits"), share = latest("known");
      made.splice(3, 1,
        number("bits per byte", bits == null ? "–" : fixed(bits, 3)),
        number("words of the text in samples", share == null ? "–" : fixed(share, 0) + " %"));
    }
    if (axis.series.accuracy.y.length) {
      const now = latest("accuracy"), was = first("accuracy");
      made.splice(3, 0, number("answered right", fixed(100 * now, 0) + " %", axis.series.accuracy.y.length > 1 ? "from " + fixed(100 * was, 0) + " %" : ""));
    }
    // The figures stay, so that one that has the focus keeps it; their values are new.
    const named = (boxes) => boxes.map((box) => box.lastChild.textContent).join();
    const old = [...parts.numbers.children];
    if (named(old) === named(made)) old.forEach((box, i) => box.firstChild.replaceWith(made[i].firstChild));
    else parts.numbers.replaceChildren(...made);
  }

  function charts() {
    if (axis.charts.length) return;
    const loss = newChart(axis, { name: "loss", unit: "nats a token", lines: grows ? [...LOSS.slice(0, 3), ...LEVELS] : LOSS });
    const rate = newChart(axis, { name: "learning rate", unit: "", lines: [{ key: "rate", name: "", kind: "line", ink: "--lm-c3" }] });
    const norm = grows
      ? newChart(axis, { name: "words of the text in samples", unit: "%", lines: [{ key: "known", name: "", kind: "dots", ink: "--lm-c1" }] })
      : newChart(axis, { name: "gradient norm", unit: "", lines: [{ key: "norm", name: "", kind: "line", ink: "--lm-c4" }] });
    loss.figure.classList.add("big");
    parts.charts.append(loss.figure, el("div", "lm-smallcharts", ...(grows ? [norm, rate] : [rate, norm]).map((chart) => chart.figure)));
  }

  function draw() {
    box.classList.toggle("none", !run);
    parts.empty.hidden = !!run;
    for (const name of ["head", "numbers", "charts", "samples"]) parts[name].hidden = !run;
    if (!run) return;
    charts();
    heading();
    numbers();
    if (run.sampled) { drawSamples(parts.samples, run.samples); run.sampled = false; }
    redraw(axis);
    Object.assign(box.dataset, { run: run.name, state: run.state, steps: run.last || 0, points: axis.series.loss.x.length });
  }

  // --- asking --------------------------------------------------------------------------------------

  function later() {
    clearTimeout(timer);
    const away = document.hidden || !box.offsetParent;
    timer = setTimeout(ask, away || run.state === "queued" ? SELDOM : OFTEN);
  }

  async function ask() {
    const mine = ++round, name = run ? run.name : "";
    clearTimeout(timer);
    // An answer that got lost must not be the end of the curve.
    timer = setTimeout(ask, LATE);
    let news = null;
    try { news = await server.follow({ owner: visitor(), run: name, have: run ? run.have : 0 }); } catch { /* asked again */ }
    if (mine !== round || !news) return;
    clearTimeout(timer);
    if (!news.run) { run = null; draw(); return tellState("", "none"); }
    // A run that goes on was cut at its last checkpoint: what is known of it may be more.
    if (run && run.name === news.run && run.state === "queued" && news.state !== "queued" && run.have) {
      fresh(run.name);
      return ask();
    }
    if (!run || run.name !== news.run) fresh(news.run);
    take(news);
    draw();
    tellState(run.name, run.state);
    if (GOING.has(run.state)) later();
    // One run after another: what waits is watched next.
    else if (news.next) setTimeout(() => { if (mine === round) follow(news.next); }, 1500);
  }

  function spoken() {
    const loss = latest("valid");
    return `${run.title}: ${SAID[run.state] || run.state}` + (loss == null ? "" : `, held-out loss ${loss.toFixed(3)}`);
  }

  // The buttons and the table of runs hear of every turn.
  function tellState(name, state) {
    if (told === name + state) return;
    told = name + state;
    if (name) box.querySelector(".lm-live").textContent = spoken();
    setTimeout(() => trigger("turn", { run: name, state }), 0);
  }

  function follow(name) {
    told = "";
    fresh(name);
    run.state = "queued";
    ask();
  }

  watch("value", () => {
    let wanted = null;
    try { wanted = JSON.parse(props.value); } catch { return; }
    if (wanted.run) return follow(wanted.run);
    run = null;
    ask();
  });
  onTold(element, "follow", (told) => { if (element.closest("#" + told.at)) follow(told.run); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && run && GOING.has(run.state)) ask(); });
  draw();
  ask();
}
