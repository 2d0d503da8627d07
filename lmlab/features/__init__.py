"""The tabs of the page, one folder each, found by its ``feature.py``; there is no other list.

The page, the command line, scenes and links, the documents' tables and pictures and the tests of
every tab follow from what ``feature.py`` declares. Finding features imports neither gradio nor
torch. ``CONTRIBUTING.md`` shows how one is made.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

from lmlab.errors import InputError


@dataclass(frozen=True)
class Look:
    """How a tab comes to show something.

    Attributes:
        ready: selector of what is there then.
        press: selector of what is pressed before; nothing if empty.
        top: selector of what a picture begins with; the page's head if empty.
        dark: whether a picture is taken in dark colours.
    """

    ready: str
    press: str = ""
    top: str = ""
    dark: bool = False


@dataclass(frozen=True)
class Feature:
    """A tab. Where something is said to stand somewhere, ``module:name`` of its folder is meant.

    Attributes:
        name: its folder's; what its elements' ids begin with; what links and scenes call it.
        title: on the page.
        order: its place among the tabs, from small to large.
        about: what it shows, in Markdown: a row of README's table.
        first: its first result.
        build: where the function stands that draws it inside the current Blocks, from a lab.
        commands: where each function stands that declares a command of argparse.
        wordings: where the function stands that gives a set's wordings from a lab and the set's
            name, on a tab whose control ``wording`` follows from its control ``data``.
        ahead: where the function stands that computes beforehand what a scene will ask, from a lab,
            the button that it presses and its inputs.
        picture: what its picture shows, if that is not its first result; see ``pictured``.
        pictured: whether there is a picture of it in the documents.
        needs: what a model must give to be offered here: keys of ``lmlab.models.gives.GIVES``.
    """

    name: str
    title: str
    order: int
    about: str
    first: Look
    build: str = "page:build"
    commands: Sequence[str] = ()
    wordings: str = ""
    ahead: str = ""
    picture: Look | None = None
    pictured: bool = True
    needs: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """Where it lies; scenes of its own stand in ``scenes``, its terms in ``terms.json``."""
        return Path(str(sys.modules[f"{__name__}.{self.name}.feature"].__file__)).parent

    def load(self, where: str) -> Any:
        """What stands at ``module:name`` of its folder."""
        module, _, name = where.partition(":")
        return getattr(import_module(f"{__name__}.{self.name}.{module}"), name)


def features(more: Sequence[Path] = ()) -> tuple[Feature, ...]:
    """All tabs in the page's order.

    Args:
        more: folders of further features, each in a folder of its own; their modules are imported
            as those of this package are, ``lmlab.features.NAME.MODULE``.

    Raises:
        InputError: there is no such folder, or what is in one is no feature.
    """
    for folder in more:
        if not folder.is_dir():
            raise InputError(f"There is no folder ‘{folder}’ of features.")
        if str(folder) not in __path__:
            __path__.append(str(folder))
            invalidate_caches()
    own = Path(__file__).parent
    found: dict[str, Feature] = {}
    for folder in (own, *more):
        for path in sorted(folder.glob("*/feature.py")):
            if path.parent.name in found:
                raise InputError(f"Two features are called ‘{path.parent.name}’.", f"See {folder}.")
            found[path.parent.name] = _read(path.parent)
    return tuple(sorted(found.values(), key=lambda one: (one.order, one.name)))


def _read(folder: Path) -> Feature:
    name = folder.name
    found = getattr(import_module(f"{__name__}.{name}.feature"), "FEATURE", None)
    if not isinstance(found, Feature) or found.name != name:
        raise InputError(
            f"‘{folder}/feature.py’ has no FEATURE named ‘{name}’.", "Write FEATURE = Feature(…)."
        )
    return found


def wordings(found: Sequence[Feature]) -> Mapping[str, Any]:
    """What gives a set's wordings, by the names of the tabs that have such a control."""
    return {one.name: one.load(one.wordings) for one in found if one.wordings}
