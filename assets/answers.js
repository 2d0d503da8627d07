// Hands alternatives that the server sent to the strip of the same group. Needs common.js before it.
watch("value", () => { if (props.value) tell("tops", { group: props.group, text: props.value }); });
