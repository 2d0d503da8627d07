"""Where a model lies that is named: shipped, a folder of this machine, a run, or on the Hub.

Looks at no weights.
"""

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lmlab.errors import LabError, ModelError
from lmlab.models import hubfiles
from lmlab.models.backends import GGUF, lacking, scheme
from lmlab.models.gives import OF_WEIGHTS, WEIGHTS
from lmlab.models.offers import Offers
from lmlab.models.refs import RUN, ModelRef, is_elsewhere, local_file, local_folder
from lmlab.models.wanted import Part
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.hub import Repo

Progress = Callable[[str], None]
NO_RUN = ("There is no such fine-tuning run.", "It may have been deleted.")

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION = re.compile(r"[\w][\w./-]{0,99}")


class Learned(Protocol):
    """What a training run has learned, in the end or by a step, and the base of its adapter."""

    @property
    def base(self) -> str: ...
    def kept(self, step: str | None) -> Path: ...


class Places(Offers):
    """What names mean here, as far as the settings allow."""

    def __init__(self, settings: Settings, models: Path) -> None:
        super().__init__(settings)
        self._models = models

    def embedded(self) -> list[str]:
        """Names of the embedded models, in alphabetical order."""
        return sorted(self._below("config.json", self._models))

    def embedded_adapters(self) -> list[str]:
        """Names of the embedded adapters."""
        return sorted(self._below("adapter_config.json", self._models / "adapters"))

    def ships(self, ref: ModelRef) -> bool:
        """Whether a model, and its adapter, came with lmlab, and so will stay what they are."""
        adapters = (None, *self.embedded_adapters())
        return ref.name in self.embedded() and ref.adapter in adapters

    def is_id(self, name: str) -> bool:
        """Whether a name has the form of the Hub's."""
        return bool(_HUB_ID.fullmatch(name)) and ".." not in name

    def folder(self, name: str) -> Path:
        """Where an embedded model lies, as ``loaded`` names it."""
        return (self._models / name).resolve()

    def pinned(self, name: str) -> str:
        """A reference that means the same from any directory: folders by their whole path."""
        ref = ModelRef.parse(name)
        adapter = ref.adapter and self._pinned(ref.adapter, self.embedded_adapters())
        return str(replace(ref, name=self._pinned(ref.name, self.embedded()), adapter=adapter))

    def base_name(self, ref: ModelRef) -> str:
        """What an adapter says that it was made for: a Hub id, else a folder's whole path."""
        name = ref.name
        if not (_is_fixed(name) or name in self.embedded() or self._is_local(name)):
            return f"{ref.name}@{ref.revision}" if ref.revision else ref.name
        return os.path.abspath(self.resolve(replace(ref, adapter=None), lambda message: None))

    def _pinned(self, name: str, known: list[str]) -> str:
        if scheme(name) == GGUF and (file := local_file(name)) is not None:
            return f"{GGUF}:{os.path.abspath(file)}"
        if _is_fixed(name) or name in known or not self._is_local(name):
            return name
        return os.path.abspath(Path(name).expanduser())

    def _is_local(self, name: str) -> bool:
        return self.settings.allow_local and local_folder(name) is not None

    def resolve(self, ref: ModelRef, on_progress: Progress) -> Path:
        """The local folder that holds a model, fetched first if it is on the Hub."""
        if ref.name.startswith(RUN):
            run = self.run(ref.name)
            if run.base:
                return self.resolve(ModelRef.parse(run.base), on_progress)
            return run.kept(ref.revision)
        if scheme(ref.name):
            raise ModelError(lacking(ref.name, WEIGHTS) or f"‘{ref}’ is no folder.", OF_WEIGHTS)
        if ref.name in self.embedded():
            _refuse_revision(ref.name, ref.revision)
            return self._models / ref.name
        return self._outside(ref.name, ref.revision, on_progress, self.embedded())

    def resolve_adapter(self, ref: ModelRef, on_progress: Progress) -> Path:
        """The local folder that holds the adapter of a reference."""
        name, known = ref.adapter or "", self.embedded_adapters()
        if scheme(name.partition("@")[0]) == GGUF:
            return self._file(*name.partition("@")[::2], on_progress)
        if name.startswith(RUN):
            name, _, step = name.partition("@")
            return self.run(name).kept(step)
        short = name.removeprefix("adapters/")
        if short in known and (short == name or not self._is_local(name)):
            return self._models / "adapters" / short
        name, _, revision = (name, "", "") if self._is_local(name) else name.partition("@")
        return self._outside(name, revision or None, on_progress, known)

    def adapter_of(self, ref: ModelRef, on_progress: Progress) -> Path | None:
        """The adapter's folder, where there is one; ``run:ID`` alone may be one too."""
        if ref.adapter:
            return self.resolve_adapter(ref, on_progress)
        if ref.name.startswith(RUN) and (run := self.run(ref.name)).base:
            return run.kept(ref.revision)
        return None

    def place(self, ref: ModelRef, on_progress: Progress) -> Path:
        """What a copy of a model is known by: its folder, or a name such as ``mock:bigram``."""
        if not scheme(ref.name):
            # One folder, one copy, whatever it was called by: a commit has a folder of its own.
            return self.resolve(ref, on_progress).resolve()
        if scheme(ref.name) == GGUF:
            return self._file(ref.name, ref.revision, on_progress)
        _refuse_revision(ref.name, ref.revision)
        listed = (*self.settings.models, self.settings.model)
        if not self.settings.allow_local and ref.name not in listed:
            raise ModelError(f"‘{ref.name[:100]}’ is not among the models of this page.")
        return Path(ref.name)

    def _file(self, name: str, revision: str | None, on_progress: Progress) -> Path:
        return hubfiles.place_of(
            name, revision, self.settings, lambda repo: self._check(repo, name), on_progress
        )

    def run(self, name: str) -> Learned:
        """The training run of a name; a store of folders alone has none."""
        raise ModelError(*NO_RUN)

    def _outside(
        self, name: str, revision: str | None, on_progress: Progress, known: list[str]
    ) -> Path:
        """A folder of this machine or of the Hub, as far as the settings allow either."""
        if self._is_local(name):
            _refuse_revision(name, revision)
            return Path(os.path.abspath(Path(name).expanduser()))
        hint = self._of_hub(name, revision, known)
        from lmlab.models.hub import fetch

        part = Part(name, revision)
        return fetch(part, self.settings, lambda repo: self._check(repo, name), on_progress, hint)

    def _check(self, repo: "Repo", name: str) -> None:
        self.check_fits(self.need(repo), name)

    def _of_hub(self, name: str, revision: str | None, known: list[str]) -> str:
        """Whether something may be fetched from the Hub: what else there is.

        Raises:
            ModelError: it may not.
        """
        hint = _hint(name, known)
        if not self.is_id(name):
            raise ModelError(f"There is no model named ‘{name[:100]}’.", hint)
        if not _is_revision(revision):
            raise ModelError(f"‘{str(revision)[:100]}’ is not a revision.")
        if not self.settings.allow_hub:
            raise ModelError(f"There is no model named ‘{name}’ here.", hint)
        if not self.settings.may_fetch(name):
            listed = ", ".join(self.settings.models)
            said = f"Of the Hub there are: {listed}." if listed else ""
            raise ModelError(
                f"‘{name}’ is not among the models that may be fetched here.", said or hint
            )
        return hint

    def parts(self, ref: ModelRef) -> list[Part]:
        """What of a model and its adapter is the Hub's.

        Raises:
            ModelError: there is no such model, or it may not be fetched.
        """
        found, quiet = list[Part](), lambda message: None
        if ref.name.startswith(RUN) and (base := self.run(ref.name).base):
            found += self.parts(ModelRef.parse(base))
        elif scheme(ref.name) == GGUF:
            found += filter(None, [hubfiles.part_of(ref.name, ref.revision, self.settings)])
        elif ref.name in self.embedded() or _is_fixed(ref.name) or self._is_local(ref.name):
            self.place(replace(ref, adapter=None), quiet)
        else:
            self._of_hub(ref.name, ref.revision, self.embedded())
            found.append(Part(ref.name, ref.revision))
        if (name := ref.adapter or "") and scheme(name.partition("@")[0]) == GGUF:
            name, _, revision = name.partition("@")
            found += filter(None, [hubfiles.part_of(name, revision, self.settings)])
        elif name and not name.startswith(RUN):
            known = self.embedded_adapters()
            name, _, revision = (name, "", "") if self._is_local(name) else name.partition("@")
            if not self._is_local(name) and name.removeprefix("adapters/") not in known:
                self._of_hub(name, revision or None, known)
                found.append(Part(name, revision or None))
        elif name:
            self.resolve_adapter(ref, quiet)
        return found

    def is_here(self, name: str) -> bool:
        """Whether all that a reference names lies on this machine, by a glance."""
        from lmlab.models.hub import snapshot_of

        try:
            return all(snapshot_of(*part) for part in self.parts(ModelRef.parse(name)))
        except LabError:
            return False

    def may_be_fetched(self, ref: ModelRef) -> bool:
        """Whether a model can be the Hub's alone, and the settings let it be fetched."""
        name = ref.name
        here = _is_fixed(name) or name in self.embedded() or self._is_local(name)
        fits = self.is_id(name) and _is_revision(ref.revision)
        return fits and not here and self.settings.may_fetch(name) and not self.settings.offline

    def source(self, name: str) -> str:
        """From where the parts of a model would be had that did not come with lmlab and were never
        fetched, as in ‘x/y from huggingface.co’; empty where all of it is here, or can be had
        nowhere. Looks at no folder that the name could point to, and asks nobody.
        """
        try:
            # A name is not tried as a folder's before somebody has agreed.
            ref = ModelRef.split(name)
        except LabError:
            return ""
        parts = [(ref.name, ref.revision, self.embedded())]
        if ref.adapter:
            own = self.embedded_adapters()
            parts.append((ref.adapter, None, [*own, *(f"adapters/{one}" for one in own)]))
        wanted = [self._source(part, revision) for part, revision, own in parts if part not in own]
        return " and ".join(filter(None, wanted))

    def _source(self, name: str, revision: str | None) -> str:
        from lmlab.models.hub import endpoint

        settings = self.settings
        if scheme(name) == GGUF:
            return hubfiles.source(name, settings)
        if _is_fixed(name):
            return ""
        if self.is_id(name):
            if settings.offline or not settings.may_fetch(name):
                return ""
            if not revision and _is_fetched(name):
                return ""
            return f"‘{name}’ from {endpoint().partition('://')[2] or endpoint()}"
        if is_elsewhere(name) or not settings.allow_local:
            return ""
        return f"the folder ‘{name[:200]}’ of this machine"

    def _below(self, marker: str, root: Path) -> list[str]:
        folders = (path.parent for path in root.glob(f"**/{marker}"))
        return [folder.relative_to(root).as_posix() for folder in folders]


def _is_revision(revision: str | None) -> bool:
    """Whether a text may be a revision; None is the newest."""
    return not revision or (bool(_REVISION.fullmatch(revision)) and ".." not in revision)


def _is_fetched(name: str) -> bool:
    from lmlab.models.hub import cache_dir

    return (cache_dir() / f"models--{name.replace('/', '--')}").is_dir()


def _is_fixed(name: str) -> bool:
    """Whether a name is a run's or a backend's, the same from any directory."""
    return name.startswith(RUN) or bool(scheme(name))


def _refuse_revision(name: str, revision: str | None) -> None:
    """What lies in a folder of this machine has one state alone."""
    if revision:
        raise ModelError(
            f"‘{name[:100]}’ is a folder of this machine and has no revisions.",
            f"Ask for ‘{name[:100]}’ alone; revisions are for models of the Hub.",
        )


def _hint(name: str, known: list[str]) -> str:
    """The closest known names, or all of them when none is close."""
    close = difflib.get_close_matches(name, known, n=1) or [n for n in known if "/" not in n]
    return f"Here there are: {', '.join(close)}." if close else ""
