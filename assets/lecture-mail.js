// Hands what the server says to the lecture bar. Needs common.js before it.
watch("value", () => {
  try { tell("lecture", JSON.parse(props.value)); } catch { /* nothing came */ }
});
