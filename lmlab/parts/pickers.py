"""The model picker, the same on every tab, and dropdowns whose choices follow another control."""

import json
from typing import Any

import gradio as gr

from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.known import Known, known
from lmlab.numbers import gigabytes
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


def about_models(lab: Lab) -> str:
    """A style sheet that has every picker say of the models of the Hub that it offers how large
    they are, under which licence, and what they are good for."""
    offered = {*lab.store.on_hub()}
    rules = (
        f"[role=option][aria-label={_text(one.name)}]::after{{content:{_text(_facts(lab, one))}}}"
        for one in known()
        if one.name in offered
    )
    return f"<style>{''.join(rules)}</style>"


def _facts(lab: Lab, one: Known) -> str:
    here = "here" if lab.store.is_here(one.name) else f"{one.download:g} GB to fetch"
    need, most = one.memory(lab.store.least_width), lab.store.largest
    large = f"too large here: needs {gigabytes(need)} of memory of {gigabytes(most)}"
    return " · ".join(
        filter(
            None,
            (
                large if need > most else "",
                here,
                one.licence,
                one.good,
                f"also @{one.revisions}" if one.revisions else "",
                "gated: its terms have to be accepted" if one.gated else "",
            ),
        )
    )


def _text(text: str) -> str:
    """A text of our own as a string of CSS within HTML."""
    return json.dumps(text, ensure_ascii=False).replace("<", "\\3c ")
