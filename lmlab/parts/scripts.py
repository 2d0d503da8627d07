"""How a component of the page loads its module; ``page.web_files`` says what is served where."""

import json

# Where the page's head says that its files lie.
PLACE = "lmlab-files"


def mounts(module: str, *events: str) -> str:
    """A component's ``js_on_load``: its module is loaded, and its ``mount`` called with the element
    and what Gradio gives a component, which knows the events that it triggers by their names in
    quotes.
    """
    named = " ".join(json.dumps(name) for name in events)
    gives = "element, { props, watch, trigger, server }"
    return f"{loads(module)}.then((made) => made.mount({gives})); // {named}"


def loads(module: str) -> str:
    """The expression that loads a module."""
    place = f'document.querySelector("meta[name={PLACE}]").content'
    return f'import(new URL({place} + "/{module}.js", document.baseURI))'
