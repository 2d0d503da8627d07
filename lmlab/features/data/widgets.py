"""The Data tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts

EMPTY = '<div class="lm-empty"><b>Nothing looked at yet</b>Choose a corpus and press Inspect.</div>'


def _component(
    value: str, name: str, module: str, *events: str, empty: str = "", **kwargs: Any
) -> dict[str, Any]:
    return {
        "value": value,
        "html_template": f'<div class="{name}">{empty}</div>',
        "js_on_load": mounts(f"features/data/{module}", *events),
        "apply_default_css": False,
        **kwargs,
    }


class MixtureView(Html):
    """Mixtures whose weights can be turned: ``plots.mixtures``."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, "lm-mix", "mixture", **kwargs))


class Findings(Html):
    """Counts, duplicates, personal data, languages: ``plots.findings``."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, "lm-findings", "findings", empty=EMPTY, **kwargs))


class QualityView(Html):
    """A movable threshold: ``plots.quality``. Its event ``cut`` tells where it was left."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        why = '<p class="lm-why">How the documents lie will stand here.</p>'
        super().__init__(**_component(value, "lm-quality", "quality", "cut", empty=why, **kwargs))
