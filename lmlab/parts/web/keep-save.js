// "Save" at every figure and every token strip of the page.
import { el, onHere } from "./dom.js";
import { csv, notice, saveAs } from "./files.js";
import { alone, asAddress, drawnPlot, grounded, painted, plotRows, pngOf, stripDocument, stripPicture, wholePage } from "./keep-pictures.js";

const plotOf = (box) => box.querySelector(".js-plotly-plot");
const canvasOf = (box) => box.querySelector("canvas");
const rowsOf = (drawing) => drawing.lmRows?.() || JSON.parse(drawing.dataset.rows || "null");
const saveRows = (rows, name) => saveAs([csv(rows)], "text/csv;charset=utf-8", name + ".csv");

async function saveAddress(address, file) {
  const link = el("a");
  link.href = address;
  link.download = file;
  link.click();
}

// Drawings in SVG, found in their place by `of`.
const ofDrawings = (of) => ({
  ready: of,
  ways: {
    PNG: async (box, name) => {
      const { text, width, height } = alone(of(box));
      saveAs([await painted(asAddress(text), width, height)], "image/png", name + ".png");
    },
    SVG: async (box, name) => saveAs([alone(of(box)).text], "image/svg+xml", name + ".svg"),
    CSV: async (box, name) => saveRows(rowsOf(of(box)), name),
  },
});

// What can be saved, by where it stands; each way takes the place and the file's name.
/** @type {{at: string, into?: string, inParent?: boolean, ready: (box: any) => any, ways: Record<string, any>}[]} */
const KINDS = [
  {
    at: ".lm-plot",
    ready: (box) => window.Plotly && plotOf(box)?._fullData?.length,
    ways: {
      PNG: async (box, name) => saveAddress(await drawnPlot(plotOf(box), "png"), name + ".png"),
      SVG: async (box, name) => saveAddress(await drawnPlot(plotOf(box), "svg"), name + ".svg"),
      CSV: async (box, name) => saveRows(plotRows(plotOf(box)), name),
    },
  },
  { at: "svg.lm-ranks, svg.lm-contest", inParent: true, ...ofDrawings((box) => box.querySelector(":scope > svg")) },
  { at: ".lm-time-side > section", into: ".lm-time-figures", ...ofDrawings((box) => box.querySelector(".lm-time-chart > svg")) },
  {
    at: ".lm-chart:has(canvas)",
    ready: canvasOf,
    ways: {
      PNG: async (box, name) => saveAs([await pngOf(grounded(canvasOf(box)))], "image/png", name + ".png"),
      CSV: async (box, name) => saveRows(box.lmRows(), name),
    },
  },
  {
    at: ".lm-strip",
    into: ".lm-tools",
    ready: (box) => box.querySelector(".lm-tok[data-i]"),
    ways: {
      HTML: async (box, name) => {
        const { box: made, style } = stripDocument(box);
        saveAs([wholePage("Token strip", style, made)], "text/html;charset=utf-8", name + ".html");
      },
      PNG: async (box, name) => saveAs([await stripPicture(box)], "image/png", name + ".png"),
    },
  },
];

// A file is named after the part of the page that it comes from, not after Gradio's own ids.
function fileOf(box) {
  let at = box;
  while (at && (!at.id || /^(html|component|tab)[-_]/.test(at.id))) at = at.parentElement;
  return "lmlab-" + ((at && at.id) || "figure").replace(/[^\w-]/g, "");
}

function menu(box, kind) {
  const holder = el("div", "lm-save"), opener = el("button", "", "Save ▾"), list = el("div", "lm-save-list");
  opener.type = "button";
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-label", "Save this figure");
  list.hidden = true;
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Save as");
  const open = (yes) => { list.hidden = !yes; opener.setAttribute("aria-expanded", yes); };
  opener.onclick = () => open(list.hidden);
  holder.onkeydown = (event) => { if (event.key === "Escape") { open(false); opener.focus(); } };
  holder.addEventListener("focusout", (event) => { if (!holder.contains(event.relatedTarget)) open(false); });
  for (const [name, way] of Object.entries(kind.ways)) {
    if (name === "CSV" && kind.ready === canvasOf && !box.lmRows) continue;
    const button = el("button", "", name);
    button.type = "button";
    button.onclick = async () => {
      open(false);
      opener.focus();
      try { await way(box, fileOf(box)); notice(`Saved as ${name}.`); } catch { notice("The browser did not allow it."); }
    };
    list.append(button);
  }
  holder.append(opener, list);
  return holder;
}

function offer() {
  for (const kind of KINDS) {
    for (const found of document.querySelectorAll(kind.at)) {
      const box = kind.inParent ? found.parentElement : found;
      if (kind.inParent) box.classList.add("lm-drawn");
      const place = kind.into ? box.querySelector(kind.into) : box, ready = kind.ready(box);
      const there = place?.querySelector(":scope > .lm-save");
      if (ready && place && !there) place.append(menu(box, kind));
      else if (!ready && there) there.remove();
    }
  }
}

onHere(offer, 300);
