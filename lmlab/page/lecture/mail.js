// Hands what the server says to the lecture bar.
import { tell } from "../../parts/web/dom.js";

/** @param {HTMLElement} element @param {Given} given */
export function mount(element, { props, watch }) {
  watch("value", () => { if (props.value) tell("lecture", JSON.parse(props.value)); });
}
