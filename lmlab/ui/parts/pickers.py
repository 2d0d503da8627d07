"""The model picker, the same on every tab."""

from typing import Any

import gradio as gr

from lmlab.lab import Lab


def model_picker(lab: Lab, elem_id: str, label: str = "Model", **options: Any) -> gr.Dropdown:
    """A dropdown of the embedded suite; a Hub id or folder may be typed where that is allowed."""
    free = lab.settings.any_model or lab.settings.allow_local
    ways = (("Hub id", lab.settings.any_model), ("folder", lab.settings.allow_local))
    kinds = [kind for kind, allowed in ways if allowed]
    settings: dict[str, Any] = {
        "value": lab.settings.model,
        "info": f"or type a {' or a '.join(kinds)}" if free else None,
        "allow_custom_value": free,
        **options,
    }
    names = settings.pop("choices", None) or lab.model_names() or [lab.settings.model]
    return gr.Dropdown(names, label=label, elem_id=elem_id, **settings)
