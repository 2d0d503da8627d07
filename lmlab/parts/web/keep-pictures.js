// Figures as pictures and tables: plotly's, drawings in SVG, canvases, the token strip.
import { el, put } from "./dom.js";

const SVGNS = "http://www.w3.org/2000/svg";
const DENSE = 2; // pixels of a PNG for each of the page
const TALLEST = 16000; // pixels that a canvas can be high
const INKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity", "fill-opacity",
  "font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline", "paint-order"];

// The colour behind a figure, as the page shows it.
function behind(node) {
  for (let at = node; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour && !/, 0\)$|transparent/.test(colour)) return colour;
  }
  return "#ffffff";
}

// --- plotly --------------------------------------------------------------------------------------

export function drawnPlot(figure, format) {
  // In a font that a picture can be drawn in anywhere, so that letters have the width that is reckoned with.
  const font = { ...figure.layout.font, family: "Arial, Helvetica, sans-serif" };
  const layout = { ...figure.layout, font, paper_bgcolor: behind(figure) };
  const width = figure.offsetWidth || 700, height = figure.offsetHeight || 320;
  return window.Plotly.toImage({ data: figure.data, layout, config: {} }, { format, width, height, scale: format === "png" ? DENSE : 1 });
}

const listOf = (values) => (values == null ? [] : Array.from(values));

// Every point of every trace; of a map one row a cell.
export function plotRows(figure) {
  const traces = figure._fullData || figure.data, rows = [["trace", "x", "y", "value", "text"]];
  traces.forEach((trace, i) => {
    const name = trace.name || `trace ${i + 1}`, x = listOf(trace.x), y = listOf(trace.y), text = listOf(trace.text);
    if (trace.z) listOf(trace.z).forEach((line, r) => listOf(line).forEach((z, c) => rows.push([name, x[c] ?? c, y[r] ?? r, z, listOf(text[r])[c]])));
    else for (let k = 0; k < Math.max(x.length, y.length); k++) rows.push([name, x[k] ?? k, y[k] ?? "", "", Array.isArray(trace.text) ? text[k] : ""]);
  });
  return rows;
}

// --- drawings in SVG -----------------------------------------------------------------------------

// A drawing that looks the same outside the page: styles written into it.
export function alone(drawing) {
  const copy = drawing.cloneNode(true), { width, height } = drawing.getBoundingClientRect();
  const froms = [drawing, ...drawing.querySelectorAll("*")], tos = [copy, ...copy.querySelectorAll("*")];
  froms.forEach((from, i) => {
    const style = getComputedStyle(from);
    for (const name of INKS) if (style.getPropertyValue(name)) tos[i].style.setProperty(name, style.getPropertyValue(name));
  });
  delete copy.dataset.rows;
  const told = (node, fields) => { for (const [name, value] of Object.entries(fields)) node.setAttribute(name, value); return node; };
  told(copy, { xmlns: SVGNS, width, height, viewBox: copy.getAttribute("viewBox") ?? `0 0 ${width} ${height}` });
  copy.prepend(told(document.createElementNS(SVGNS, "rect"), { width: "100%", height: "100%", fill: behind(drawing) }));
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

export const asAddress = (svgText) => "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svgText);

export async function painted(address, width, height) {
  const image = new Image(), scale = Math.min(DENSE, TALLEST / height), canvas = el("canvas");
  image.src = address;
  await image.decode();
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return pngOf(canvas);
}

export const pngOf = (canvas) => new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("empty"))), "image/png"));

// A canvas on the colour that stands behind it, its caption above it with the lines' colours.
export function grounded(canvas) {
  const copy = el("canvas"), pen = copy.getContext("2d"), dense = canvas.width / canvas.clientWidth;
  const caption = canvas.closest("figure")?.querySelector("figcaption"), top = caption ? 30 * dense : 0;
  copy.width = canvas.width;
  copy.height = canvas.height + top;
  pen.fillStyle = behind(canvas);
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.drawImage(canvas, 0, top);
  let x = 8 * dense;
  for (const part of caption?.querySelectorAll(":scope > :not(button)") || []) {
    const swatch = part.querySelector("i"), style = getComputedStyle(part), text = part.textContent.trim();
    if (swatch) {
      pen.fillStyle = getComputedStyle(swatch).getPropertyValue("--ink").trim();
      pen.fillRect(x, 16 * dense, 14 * dense, 3 * dense);
      x += 19 * dense;
    }
    pen.fillStyle = style.color;
    pen.font = `${style.fontWeight} ${13 * dense}px ${style.fontFamily}`;
    pen.fillText(text, x, 22 * dense);
    x += pen.measureText(text).width + 12 * dense;
  }
  return copy;
}

// --- what is HTML on the page --------------------------------------------------------------------

const LEFT_OUT = "script, style, button, input, select, textarea, canvas, svg, iframe, img, .lm-save, .lm-card, .lm-live, .lm-empty, .lm-keep, [hidden]";
const KEPT_ATTRIBUTES = ["class", "dir", "style", "title", "colspan", "rowspan", "scope"];
const SIZES = /^(\s*(width|height|--share)\s*:[\d.\s%a-z]+;?)*$/; // styles that say how long a bar is

// A part of the page as it is now, without what can be pressed: nothing in it runs.
export function frozen(node) {
  const copy = node.cloneNode(true);
  for (const gone of copy.querySelectorAll(LEFT_OUT)) gone.remove();
  for (const one of [copy, ...copy.querySelectorAll("*")]) {
    for (const { name } of [...one.attributes]) if (!KEPT_ATTRIBUTES.includes(name)) one.removeAttribute(name);
    if (!SIZES.test(one.getAttribute("style") || "")) one.removeAttribute("style");
  }
  return copy;
}

// The colours of the strip, light or as the page has them.
function ramps(dark) {
  const from = getComputedStyle(dark ? document.body : document.documentElement);
  let rules = "";
  for (const kind of "bd") for (let i = 0; i < 9; i++) {
    rules += `.${kind}${i}{background-color:${from.getPropertyValue(`--${kind}${i}`)};color:${from.getPropertyValue(`--${kind}${i}-ink`)}}`;
  }
  return rules;
}

export const sheet = (dark) => `*{box-sizing:border-box}body,.lm-alone{margin:0;font:15px/1.5 system-ui,sans-serif;color:${dark ? "#e6e9f2" : "#1e2433"};background:${dark ? "#131a2e" : "#ffffff"}}
.lm-alone{padding:16px 20px}.lm-toks{font:15px/2 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0}
.lm-tok{display:inline-block;white-space:pre;max-width:100%;overflow:clip;vertical-align:baseline;line-height:1.5;border-radius:4px;padding:2px 1px;margin-right:1px}
.lm-tok.line{display:inline;white-space:pre-wrap}.lm-tok.none{background-image:repeating-linear-gradient(45deg,#8a93a866 0 3px,transparent 3px 7px)}
.lm-prefix{opacity:.7;border-bottom:1px dashed}.lm-start{border:1px solid #8886;border-radius:4px;padding:1px 4px;margin-right:5px;font-size:.8em}
.lm-legend,.lm-runhead,.lm-tools{display:flex;flex-wrap:wrap;gap:4px 14px;align-items:center;font-size:13px}.lm-measures{display:none}
.lm-cells i{font-style:normal;padding:1px 6px}.lm-notes p,.lm-why{font-size:13px;opacity:.8;margin:4px 0}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}td,th{padding:2px 8px;border-bottom:1px solid #8884;text-align:right;font-weight:400}
.lm-figures,.lm-nums{display:flex;flex-wrap:wrap;gap:8px}.lm-fig,.lm-num2{border:1px solid #8886;border-radius:8px;padding:6px 12px}.lm-fig .v,.lm-num2 b{font-size:1.3em;font-weight:700}
.lm-fig .why,.lm-hist{display:none}.lm-num2 b,.lm-num2 span{display:block}.lm-labelrow{display:grid;grid-template-columns:8em 14em auto;gap:8px}.lm-pair i{display:block;height:8px;background:#7a84a0}
${ramps(dark)}`;

export function stripDocument(strip) {
  const parts = [".lm-tools", ".lm-notes", ".lm-runs"].map((part) => frozen(strip.querySelector(part)));
  return { box: el("div", "lm-alone", ...parts), style: sheet(document.body.classList.contains("dark")) };
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

// A whole file of HTML that asks for nothing and runs nothing.
export function wholePage(title, style, body) {
  const page = document.implementation.createHTMLDocument(title), meta = (fields) => put(el("meta"), fields), letters = el("meta");
  letters.setAttribute("charset", "utf-8");
  page.head.prepend(letters);
  page.head.append(meta({ httpEquiv: "Content-Security-Policy", content: POLICY }), meta({ name: "viewport", content: "width=device-width" }), el("style", "", style));
  page.body.append(page.importNode(body, true));
  return "<!doctype html>\n" + page.documentElement.outerHTML + "\n";
}

export function stripPicture(strip) {
  const { box, style } = stripDocument(strip), width = Math.ceil(strip.getBoundingClientRect().width);
  const inside = el("div", "lm-alone", el("style", "", style.replace(/body,/, "")), ...box.childNodes);
  inside.style.width = width + "px";
  // Laid out once out of sight, within a root of its own, to know how high it is.
  const host = document.body.appendChild(el("div"));
  host.style.cssText = "position:absolute;left:-99999px;top:0";
  host.attachShadow({ mode: "open" }).append(inside.cloneNode(true));
  const height = Math.ceil(host.shadowRoot.lastChild.getBoundingClientRect().height);
  host.remove();
  const text = new XMLSerializer().serializeToString(inside);
  const outer = `<svg xmlns="${SVGNS}" width="${width}" height="${height}"><foreignObject width="100%" height="100%">${text}</foreignObject></svg>`;
  return painted(asAddress(outer), width, height);
}
