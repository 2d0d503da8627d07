"""Which scenes would run on this machine as it is, without a network; loads no model."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lmlab.errors import LabError
from lmlab.features import Feature
from lmlab.models.backends import lacking, scheme
from lmlab.models.folders import numbers_of
from lmlab.models.hub import snapshot_of
from lmlab.models.refs import ModelRef
from lmlab.page.scenes.scene import Scene
from lmlab.runs.model_store import RUN, ModelStore


@dataclass(frozen=True)
class Lack:
    """Why something would not run, and what mends it: a command, or a sentence."""

    why: str
    mend: str = ""


@dataclass(frozen=True)
class Ready:
    """A scene, the models that it asks for, and what they lack."""

    name: str
    title: str
    tab: str
    models: tuple[str, ...]
    lacks: tuple[Lack, ...]
    stored: bool = False  # whether it has a result to show where it does not run


def ready(store: ModelStore, scenes: Sequence[Scene], tabs: Mapping[str, Feature]) -> list[Ready]:
    """The scenes that the page shows, in their order."""
    seen: dict[tuple[str, frozenset[str]], Lack | None] = {}
    found = []
    for scene in scenes:
        if (feature := tabs.get(scene.tab)) is None:
            continue
        models = scene.models or ((store.settings.model,) if feature.needs else ())
        asked = [(name, feature.needs) for name in models]
        for one in asked:
            if one not in seen:
                seen[one] = lack(store, *one)
        lacks = tuple(dict.fromkeys(why for one in asked if (why := seen[one]) is not None))
        found.append(Ready(scene.name, scene.title, scene.tab, models, lacks, bool(scene.stored)))
    return found


def lack(store: ModelStore, name: str, needs: frozenset[str] = frozenset()) -> Lack | None:
    """What hinders a model to be loaded here as it is; None where nothing does."""
    try:
        ref = ModelRef.parse(name)
        parts = store.parts(ref)
        if [one for one in parts if not snapshot_of(*one)]:
            return Lack(f"‘{name}’ is not on this machine.", getting(store, name))
        if why := lacking(ref.name, needs):
            return Lack(why, "Choose another model.")
        if scheme(ref.name) or ref.name.startswith(RUN):
            return None
        if (need := memory_of(store, ref)) is None:
            return Lack(f"The weights of ‘{ref.name}’ are missing or damaged.", _anew(store, ref))
        store.check_fits(need, ref.name)
    except LabError as error:
        return Lack(error.message, error.hint)
    return None


def memory_of(store: ModelStore, ref: ModelRef) -> int | None:
    """Bytes that a folder's model, here or fetched, will take; None where its weights are not to
    be read."""
    numbers = numbers_of(_folder(store, ref))
    from lmlab.models.devices import width_of

    return numbers * width_of(store.settings) if numbers else None


def getting(store: ModelStore, name: str) -> str:
    """The command that fetches a model."""
    online = "LMLAB_OFFLINE=false " if store.settings.offline else ""
    return f"{online}lmlab get {shlex.quote(name)}"


def _folder(store: ModelStore, ref: ModelRef) -> Path:
    bare = replace(ref, adapter=None)
    for part in store.parts(bare):
        if (found := snapshot_of(*part)) is not None:
            return found
    return store.resolve(bare, lambda message: None)


def _anew(store: ModelStore, ref: ModelRef) -> str:
    if ref.name in store.embedded():
        return "pip install --force-reinstall lmlab"
    return getting(store, ref.name) if store.is_id(ref.name) else "Copy the folder anew."
