"""What programs are told of a page: all of its components and events, without what a browser alone
draws them with."""

import json
from typing import Any

# Of a component beside its ``props``, of these, and of an event.
DRAWN = {"component_class_id", "api_info_as_input", "api_info_as_output", "example_inputs", "key"}
PROPS = {
    "html_template", "css_template", "js_on_load", "apply_default_css", "component_class_name",
    "preserved_by_key", "elem_classes", "props", "buttons", "autoscroll", "container", "padding",
    "min_width", "scale", "show_label", "show_progress", "equal_height", "variant", "size",
    "link_target", "likeable", "streamable", "delete_callback", "time_to_live", "_selectable",
    "_retryable", "_undoable", "name", "rtl", "num_choices_shown",
}  # fmt: skip
STEPS = {
    "show_progress", "show_progress_on", "scroll_to_output", "js", "js_implementation",
    "stream_every", "event_specific_args", "component_prop_inputs", "render_id", "rendered_in",
    "trigger_only_on_success", "trigger_only_on_failure", "max_batch_size", "time_limit",
}  # fmt: skip
PICTURES = {"html", "markdown", "plot"}  # whose values are what a page shows


def for_programs(body: bytes) -> bytes:
    """The page's configuration as programs get it."""
    config = json.loads(body)
    for one in config["components"]:
        props = PROPS | ({"value"} if one["type"] in PICTURES else set())
        one["props"] = _without(one["props"], props)
    config["components"] = [_without(one, DRAWN) for one in config["components"]]
    config["dependencies"] = [_without(one, STEPS) for one in config["dependencies"]]
    return json.dumps(config, ensure_ascii=False, separators=(",", ":")).encode()


def _without(told: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}
