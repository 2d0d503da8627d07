"""The Data tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.html import filled
from lmlab.parts.scripts import mounts


class MixtureView(Html):
    """Mixtures whose weights can be turned: HTML of ``mixtures.drawn``, which a script wires."""

    def __init__(self, value: str, **kwargs: Unpack[Placed]) -> None:
        js = mounts("features/data/mixture")
        super().__init__(value, js_on_load=js, apply_default_css=False, **kwargs)


class QualityView(Html):
    """A movable threshold: ``views.quality``. Its event ``cut`` tells where it was left."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        template, js = filled("features/data/quality"), mounts("features/data/quality", "cut")
        super().__init__(
            "", html_template=template, js_on_load=js, apply_default_css=False, **kwargs
        )
