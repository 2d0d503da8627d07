// The list of all scenes, by part of the lecture; opening and keeping scenes.
import { el } from "../../parts/web/dom.js";

export function listed(scenes, here, go) {
  const parts = new Map();
  scenes.forEach((scene, i) => parts.set(scene.part, [...(parts.get(scene.part) || []), [scene, i]]));
  return [...parts].map(([part, members]) => {
    const box = el("section");
    box.append(el("h3", "", part), ...members.map(([scene, i]) => {
      const button = el("button", i === here ? "here" : "", i + 1 + "  " + scene.title);
      button.type = "button";
      if (i === here) button.setAttribute("aria-current", "true");
      button.onclick = () => go(i);
      return button;
    }));
    return box;
  });
}

function field(text, className) {
  const label = el("label", className, text), input = el("input");
  input.type = "text";
  input.maxLength = 600;
  label.append(input);
  return [label, input];
}

async function opened(files, add) {
  const read = [...files].slice(0, 200).map(async (file) => ({ name: file.name, text: await file.text() }));
  add(await Promise.all(read));
}

// Scenes of one's own: files are opened, and the tab that is shown is saved as one.
export function own(add, keep) {
  const box = el("section", "lm-ownscenes"), pick = el("input"), label = el("label", "lm-filelabel", "Open scene files");
  pick.type = "file";
  pick.multiple = true;
  pick.accept = ".yaml,.yml";
  pick.onchange = () => { opened(pick.files, add); pick.value = ""; };
  label.append(pick);
  const [titled, title] = field("Title", ""), [pointed, point] = field("What it shows", "wide");
  const save = el("button", "", "Save this tab as a scene");
  save.type = "button";
  save.onclick = () => keep(title.value, point.value);
  box.append(el("h3", "", "Scenes of your own"), label, titled, pointed, save);
  return box;
}
