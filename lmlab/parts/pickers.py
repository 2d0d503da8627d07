"""The model picker, the same on every tab, and dropdowns whose choices follow another control."""

from typing import Any

import gradio as gr

from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.parts.gradio_compat.building import AsBase

LONGEST = 400  # characters of a choice
NAMES_MODELS = "lm-model"  # class of all whose value is a model's name


class Choices(AsBase, gr.Dropdown):
    """A dropdown whose choices follow another control's value.

    The two may reach the server one without the other, and what a call brings would then be
    refused as no choice; so whoever takes the value checks it.
    """

    def preprocess(self, payload: Any) -> Any:
        """What is chosen, whether or not it is among the choices."""
        if isinstance(payload, str) and len(payload) <= LONGEST:
            return payload
        return super().preprocess(payload)


def model_picker(
    lab: Lab,
    elem_id: str,
    label: str = "Model",
    *,
    follows: bool = False,
    needs: frozenset[str] = frozenset(),
    **options: Any,
) -> gr.Dropdown:
    """A dropdown of the embedded suite, those models that give what is needed
    (``lmlab.models.gives.GIVES``); a Hub id or folder may be typed where that is allowed.
    ``follows``: whether its choices follow another control.
    """
    free = lab.settings.any_model or lab.settings.allow_local
    ways = (("Hub id", lab.settings.any_model), ("folder", lab.settings.allow_local))
    kinds = [kind for kind, allowed in ways if allowed]
    found = {name: lacking(name, needs) for name in lab.model_names()}
    able = [name for name, why in found.items() if not why]
    why_not = " ".join(why for why in found.values() if why)
    first = lab.settings.model
    settings: dict[str, Any] = {
        "value": first if not lacking(first, needs) else next(iter(able), first),
        "info": f"or type a {' or a '.join(kinds)}" if free else None,
        "allow_custom_value": free,
        "elem_classes": NAMES_MODELS,
        **options,
    }
    # What is not offered is said where it would have stood.
    settings["info"] = " ".join(filter(None, (settings["info"], why_not))) or None
    kind = Choices if follows else gr.Dropdown
    names = settings.pop("choices", None) or able or [lab.settings.model]
    return kind(names, label=label, elem_id=elem_id, **settings)
