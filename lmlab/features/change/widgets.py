"""The Change tab's own components. Each has a constant template beside its script; data comes as
JSON and becomes DOM by textContent."""

from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.html import filled
from lmlab.parts.scripts import mounts
from lmlab.parts.widgets import STRIP


class _Own(Html):
    MODULE = ""
    TELLS: tuple[str, ...] = ()

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        module = f"features/change/{self.MODULE}"
        looks: dict[str, Any] = {"apply_default_css": False, "group": self.MODULE, **kwargs}
        template = filled(module, strip=STRIP.replace("EMPTY", ""))
        js = mounts(module, *self.TELLS)
        super().__init__("", html_template=template, js_on_load=js, **looks)


class ChangeMap(_Own):
    """Layers × matrices: ``weight_views.change_map``. Its event ``choose`` tells a matrix."""

    MODULE = "map"
    TELLS = ("choose",)


class MatrixPictures(_Own):
    """W, and ΔW with V beside it and U above it, at true proportions: ``weight_views.pictures``."""

    MODULE = "pictures"


class KnifeCurves(_Own):
    """Perplexity against k, and a slider over k: ``weight_views.knife``."""

    MODULE = "knife"


class TimeStrip(_Own):
    """A text under checkpoint after checkpoint: ``timemachine_page.payload``. The slider needs no
    server."""

    MODULE = "timemachine"
