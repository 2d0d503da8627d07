// Hands alternatives that the server sent to the strip of the same group.
import { tell } from "./dom.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  watch("value", () => { if (props.value) tell("tops", { group: props.group, text: props.value }); });
}
