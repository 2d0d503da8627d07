// The list of all scenes, by part of the lecture; opening and keeping scenes; what a scene has stored.
import { button, el, put } from "../../parts/web/dom.js";

export function listed(scenes, here, go) {
  const parts = new Map();
  scenes.forEach((scene, i) => parts.set(scene.part, [...(parts.get(scene.part) || []), [scene, i]]));
  return [...parts].map(([part, members]) => el("section", "", el("h3", "", part), ...members.map(([scene, i]) =>
    button(i === here ? "here" : "", i + 1 + "  " + scene.title, () => go(i), i === here ? { "aria-current": "true" } : {}))));
}

// Scenes of one's own: files are opened, and the tab that is shown is saved as one.
export function own(add, keep) {
  const field = () => put(el("input"), { type: "text", maxLength: 600 });
  const title = field(), point = field(), pick = put(el("input"), { type: "file", multiple: true, accept: ".yaml,.yml" });
  pick.onchange = async () => {
    const read = [...pick.files].slice(0, 200).map(async (file) => ({ name: file.name, text: await file.text() }));
    pick.value = "";
    add(await Promise.all(read));
  };
  return el("section", "lm-ownscenes", el("h3", "", "Scenes of your own"), el("label", "lm-filelabel", "Open scene files", pick),
    el("label", "", "Title", title), el("label", "wide", "What it shows", point),
    button("", "Save this tab as a scene", () => keep(title.value, point.value)));
}

// A result of an earlier run, for where none can be made or awaited.
export function storedResult(kept, alone, live) {
  const [heads, ...rows] = kept.table, words = rows[0].map((cell) => !/^[-−\d]/.test(cell));
  const line = (cells, tag) => el("tr", "", ...cells.map((cell, i) => el(tag, words[i] ? "words" : "", cell)));
  const said = `Stored result, made on ${kept.made} by ${kept.model}${live ? "; what runs below is live" : ""}`;
  const made = el("table", "lm-table lm-plain", line(heads, "th"), ...rows.map((cells) => line(cells, "td")));
  return put(el("details", "", el("summary", "", said), made), { open: alone });
}
