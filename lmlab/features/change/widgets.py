"""The Change tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts

MAP = """
<div class="lm-changemap">
<div class="lm-tools" hidden><div class="lm-measures" role="radiogroup" aria-label="Show"></div>
<div class="lm-legend" aria-label="Legend"></div></div>
<p class="lm-mapread" hidden></p>
<div class="lm-scroll lm-mapscroll" hidden></div>
<div class="lm-empty"><b>Nothing measured yet</b>Press Measure: every matrix takes the colour of how
far fine-tuning moved it.</div></div>
"""
PICTURES = """
<div class="lm-pictures">
<div class="lm-tools" hidden><label class="lm-stretch"><input type="checkbox"> draw ℓ wider, to read
it</label><div class="lm-legend" aria-label="Legend"></div></div>
<div class="lm-picturerow"></div>
<p class="lm-pictureread lm-why" role="status"></p>
<div class="lm-empty"><b>No matrix chosen</b>Choose one on the map.</div></div>
"""
KNIFE = """
<div class="lm-knife">
<div class="lm-empty"><b>Nothing cut yet</b>Press Cut: ΔW keeps its k largest singular values, and
both kinds of text are scored for each k.</div>
<div class="lm-knifebody" hidden>
<p class="lm-knifehead"></p>
<div class="lm-knifecharts"></div>
<label class="lm-knifeslider"><span></span><input type="range" min="0" max="0" step="1" value="0">
</label>
<div class="lm-knifenums lm-nums"></div>
<p class="lm-knifesaid lm-why" role="status"></p>
<details class="lm-bymatrix"><summary>All numbers</summary><div class="lm-scroll" tabindex="0"
role="region" aria-label="Perplexity for each k"></div></details></div></div>
"""


def _component(template: str, module: str, *events: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "html_template": template,
        "js_on_load": mounts(f"features/change/{module}", *events),
        "apply_default_css": False,
        **kwargs,
    }


class ChangeMap(Html):
    """Layers × matrices: ``weight_views.change_map``. Its event ``choose`` tells a matrix."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__("", **_component(MAP, "map", "choose", **kwargs))


class MatrixPictures(Html):
    """W, and ΔW with V beside it and U above it, at true proportions: ``weight_views.pictures``."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__("", **_component(PICTURES, "pictures", **kwargs))


class KnifeCurves(Html):
    """Perplexity against k, and a slider over k: ``weight_views.knife``."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__("", **_component(KNIFE, "knife", **kwargs))
