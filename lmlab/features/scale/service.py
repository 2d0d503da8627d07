"""How large the models at hand are and what they reach, as the page asks for it; what cannot be
asked is a LabError.

Imports no torch before a model is looked at. A row needs a model's config alone, no weights.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.scale.architectures import SIZES, from_config
from lmlab.features.scale.counts import Shape, parameters
from lmlab.features.scale.measured import Measured
from lmlab.features.scale.published import Opened, Row, row_of
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.memo import Memo
from lmlab.models.fair_lock import stepwise
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress
from lmlab.scoring.scored import Scored
from lmlab.text.sets import general_texts

if TYPE_CHECKING:
    from lmlab.models.model import LM

MOST_MODELS = 12
MOST_TEXTS = 80
KNOWN = 200  # rows and figures that are kept
Asked = tuple[str, str, int]  # model, kind, texts
_STEP = re.compile(r"step-(\d+)$")
OWN = Opened("yes", "partly", "yes")
OWN_DATA = "the mixture that its card names"


@dataclass(frozen=True)
class Scaling:
    """What can be asked about size."""

    lab: Lab
    _rows: Memo[str, Row] = field(default_factory=lambda: Memo(KNOWN), repr=False)
    _found: Memo[Asked, Measured] = field(default_factory=lambda: Memo(KNOWN), repr=False)

    def row(self, model: str) -> Row:
        """A model's row, from its config alone."""
        if known := self._rows.get(model):
            return known
        import_core()
        from lmlab.models import configs

        ref = ModelRef.parse(model)
        folder = configs.config_folder(ref, self.lab.store)
        config = configs.read_config(folder, ref.name)
        exact = configs.counted(folder, ref.name)
        told: dict[str, Any] = {key: configs.number(config, name) for key, name in SIZES.items()}
        row = Row(model, exact=exact, **told)
        with suppress(KeyError, TypeError, ValueError, InputError):
            shape = from_config(config.to_dict())
            if shape and parameters(shape) == exact:
                row = row_of(model, shape)
        why = "The adapter’s own parameters are left out." if ref.adapter else ""
        if ref.name not in self.lab.store.embedded():
            return replace(row, why=why, source="its config")
        facts: dict[str, Any] = {"tokens": self._seen(ref), "opened": OWN, "data": OWN_DATA}
        row = replace(row, why=why, source="its config and card", **facts)
        self._rows.put(model, row)
        return row

    def shape(self, model: str) -> Shape:
        """A model's shape."""
        row = self.row(model)
        if row.shape is None:
            raise InputError(
                f"The architecture of ‘{model[:100]}’ is not one that is counted by part.",
                f"It has {row.exact:,} parameters." if row.exact else "",
            )
        return row.shape

    def added(self, model: str) -> int | None:
        """The numbers in a model's adapter; None of a model without one."""
        self.row(model)
        from lmlab.models import configs

        ref = ModelRef.parse(model)
        adapter = self.lab.store.adapter_of(ref, lambda message: None)
        if adapter is None:
            return None
        return configs.added(configs.config_folder(ref, self.lab.store), ref.name, adapter)

    def measure(
        self, models: Sequence[str], kinds: Sequence[str], count: int
    ) -> Iterator[Loading | Progress | Measured]:
        """Bits per byte of models on held-out texts of some kinds, of each the first ``count``: one
        ``Measured`` a model and kind."""
        texts = _chosen(kinds, count)
        names = list(dict.fromkeys(name.strip() for name in models if name and name.strip()))
        if not 1 <= len(names) <= MOST_MODELS:
            raise InputError(f"Choose from 1 to {MOST_MODELS} models, not {len(names)}.")
        for name in names:
            known = [self._found.get((name, kind, count)) for kind in texts]
            if all(known):
                yield from (one for one in known if one)
                continue
            # A folder or a run may change; what ships does not.
            ships = ModelRef.parse(name).name in self.lab.store.embedded()
            for step in self._measured(name, texts):
                if isinstance(step, Measured) and ships:
                    self._found.put((name, step.kind, count), step)
                yield step

    @runs_models("name")
    def _measured(
        self, name: str, texts: dict[str, list[str]]
    ) -> Iterator[Loading | Progress | Measured]:
        import_core()
        ref = ModelRef.parse(name)
        yield from self.lab.ready(ref)
        with self.lab.store.borrow(ref) as lm:
            yield from stepwise([lm], self._figures(lm, name, texts))

    def _figures(
        self, lm: "LM", name: str, texts: dict[str, list[str]]
    ) -> Iterator[Progress | Measured]:
        from lmlab.scoring.score import iter_scores

        size = sum(parameter.numel() for parameter in lm.own_parameters().values())
        seen = self._seen(ModelRef.parse(name))
        # The same for two models that cut text into the same tokens.
        tokens = hashlib.sha256(lm.vocabulary.spelling.cutting.encode()).hexdigest()[:16]
        for kind, some in texts.items():
            scored: list[Scored] = []
            for step in iter_scores(lm, some, top_k=0, max_tokens=self.lab.settings.max_tokens):
                if isinstance(step, Scored):
                    scored.append(step)
                else:
                    yield step
            if lost := sum(one.unknown for one in scored):
                raise InputError(
                    f"The tokenizer of ‘{name}’ has no token for {lost:,} pieces of the {kind} "
                    "texts: its bits per byte would mean nothing.",
                    "Choose models whose tokenizer knows every character.",
                )
            yield Measured(
                model=name,
                kind=kind,
                parameters=size,
                tokens_seen=seen,
                nats=-sum(one.logprob for one in scored),
                n_tokens=sum(one.n_tokens for one in scored),
                n_bytes=sum(one.n_bytes for one in scored),
                n_texts=len(scored),
                vocabulary=tokens,
                longest=max(one.n_tokens for one in scored),
            )

    def _seen(self, ref: ModelRef) -> int | None:
        """Tokens of an embedded model's pre-training, from the record beside its weights."""
        if ref.name not in self.lab.store.embedded():
            return None
        folder = self.lab.store.resolve(ref, lambda message: None)
        try:
            told = json.loads((folder / "training.json").read_text("utf-8"))
            if step := _STEP.search(ref.name):
                return int(step[1]) * int(told["config"]["batch_tokens"])
            return int(told["tokens"])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None


def _chosen(kinds: Sequence[str], count: int) -> dict[str, list[str]]:
    texts = general_texts()
    if unknown := [kind for kind in kinds if kind not in texts]:
        raise InputError(
            f"There are no texts of the kind ‘{unknown[0][:60]}’.",
            f"There are: {', '.join(texts)}.",
        )
    if not kinds:
        raise InputError("Choose a kind of text at least.")
    if not 1 <= count <= MOST_TEXTS:
        raise InputError(f"From 1 to {MOST_TEXTS} texts of a kind are read, not {count}.")
    return {kind: texts[kind][:count] for kind in texts if kind in kinds}
