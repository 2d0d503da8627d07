"""A model behind a server: what is asked of it, what came, and what was seen that it gives."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from huggingface_hub import snapshot_download
from pydantic import BaseModel

from lmlab.assets import models_dir
from lmlab.errors import ModelError
from lmlab.maths.metrics import RowStats
from lmlab.memo import Memo
from lmlab.models.backends.server.calls import Ask, Calls
from lmlab.models.backends.server.dialects import Dialect, MisfitError
from lmlab.models.backends.server.host import GIVEN, Host
from lmlab.models.backends.server.texts import DIALECTS
from lmlab.models.chat import has_chat
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.hub import cache_dir, endpoint, token_of
from lmlab.models.model import LM, Drawn, Read
from lmlab.models.refs import local_folder
from lmlab.models.tokenizers import read_vocabulary
from lmlab.models.tokens import Vocabulary, encode_prompt
from lmlab.settings import Settings

FILES = ["tokenizer*", "special_tokens_map.json", "vocab*", "merges.txt", "*.jinja", "config.json"]
KEPT = 4096  # scored texts that are not asked for again
BATCH = 65_536  # tokens of texts that are asked for at once
CONTEXT = 2048  # positions, where neither the host nor the server says
PROBE = "The dog ran home to his"
GREEDY = SimpleNamespace(
    max_new_tokens=1, temperature=0, top_p=1, top_k=0, min_p=0, repetition_penalty=1, alternatives=1
)
NEAR = 0.1  # nats by which a token may differ, scored and drawn: engines batch as they like

Key = tuple[tuple[int, ...], int, int]


class NoTurns(Turns):
    """The lock of what any number may use at once."""

    def acquire(self, worked: float = 0.0) -> None:
        """Nobody waits."""

    def release(self, *, aside: bool = False) -> None:
        """Nobody waited."""


@dataclass(frozen=True)
class ServedLM(LM):
    """A model that is asked over HTTP."""

    name: str
    vocabulary: Vocabulary
    context: int
    calls: Calls
    dialect: Dialect
    given: frozenset[str]  # what it was seen to give
    turns: Turns = field(default_factory=NoTurns)
    form: Form | None = None
    kept: Memo[Key, list[Drawn]] = field(default_factory=lambda: Memo(KEPT))

    @property
    def gives(self) -> frozenset[str]:
        return self.given

    @property
    def batch_tokens(self) -> int:
        return BATCH

    @property
    def reading(self) -> list[str]:
        ranks = "" if "ranks" in self.given else "ranks and "
        return [f"{ranks}entropies are not given by this server.".capitalize()]

    def score(self, reads: Sequence[Read], top_k: int) -> RowStats:
        if "scores" not in self.given:
            raise self.lacks("scores")
        k = max(1, min(top_k, self.dialect.most))
        keys = [(tuple(read.ids), read.low, k) for read in reads]
        found = {key: kept for key in keys if (kept := self.kept.get(key))}
        wanted = {key: Read(*key[:2]) for key in keys if key not in found}
        asks = [self.dialect.scoring(read, k) for read in wanted.values()]
        # What came before a server failed is not asked for again.
        for which, answer in self.calls.together(asks):
            key = list(wanted)[which]
            found[key] = self.dialect.scored(answer, wanted[key])
            self.kept.put(key, found[key])
        return row_stats([place for key in keys for place in found[key]], min(top_k, k))

    def draw(
        self, ids: Sequence[int], config: Any, seeds: Sequence[int], wanted: Callable[[int], bool]
    ) -> Generator[tuple[int, Drawn | str]]:
        k = max(1, min(config.alternatives, self.dialect.most))
        asks = [self.dialect.drawing(ids, config, seed % 2**63, k) for seed in seeds]
        came, ends = [0] * len(asks), [""] * len(asks)
        with closing(self.calls.together(asks, wanted)) as answers:
            for which, chunk in answers:
                found, end = self.dialect.drawn(chunk, came[which])
                came[which] += len(found)
                for one in found:
                    yield which, one
                if end == "length" and not came[which]:
                    raise self.dialect.misfit("tells no log-probabilities of what it draws")
                if end:
                    ends[which] = end
                    yield which, end
        if any(not end and wanted(which) for which, end in enumerate(ends)):
            raise ModelError(f"‘{self.name}’ stopped in the middle of its answer.", "Ask again.")


def row_stats(places: Sequence[Drawn], k: int) -> RowStats:
    """What is known of scored places, at most k alternatives each."""
    width = min((k, *(len(one.top) for one in places)))
    ranks = [one.rank for one in places]
    return RowStats(
        logprob=torch.tensor([one.logprob for one in places]),
        rank=None if None in ranks else torch.tensor(ranks),
        entropy=None,
        best=torch.tensor([one.top[0][1] for one in places]),
        top_ids=torch.tensor([[i for i, _ in one.top[:width]] for one in places]),
        top_logprobs=torch.tensor([[value for _, value in one.top[:width]] for one in places]),
    )


@dataclass
class Loaded:
    """A server that was asked what it gives."""

    served: ServedLM
    n_bytes: int
    lock: Turns = field(default_factory=NoTurns)
    adapters: frozenset[Path] = frozenset()

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> LM:
        form: Form | None = "chat" if has_chat(self.served.vocabulary) else None
        return replace(self.served, name=name, turns=self.lock, form=form)


class Meta(BaseModel):
    n_ctx_train: int | None = None


class Listed(BaseModel):
    id: str
    max_model_len: int | None = None
    meta: Meta | None = None


class Models(BaseModel):
    data: list[Listed]


def connect(name: str, host: Host, settings: Settings, n_bytes: int) -> Loaded:
    """Ask a server what it has and what comes back.

    Raises:
        ModelError: it cannot be asked, or is not of the kind that the host said.
    """
    vocabulary = read_vocabulary(_folder(host.tokenizer, settings), host.tokenizer)
    calls = Calls(name, host)
    dialect = DIALECTS[host.kind](name, host.model, vocabulary)
    there = dialect.parsed(Models, calls.one(Ask("/v1/models"))).data
    mine = next((one for one in there if host.model in ("", one.id)), None)
    if mine is None:
        raise ModelError(
            f"‘{name}’ serves no model ‘{host.model}’."
            if host.model
            else f"‘{name}’ has no model.",
            f"It has: {', '.join(one.id for one in there[:10])}." if there else "",
        )
    dialect.model = mine.id
    told = mine.max_model_len or (mine.meta.n_ctx_train if mine.meta else None)
    lm = ServedLM(
        name, vocabulary, host.context or told or CONTEXT, calls, dialect, GIVEN[host.kind]
    )
    return Loaded(replace(lm, given=probed(lm)), n_bytes)


def probed(lm: ServedLM) -> frozenset[str]:
    """What a server gives: one that ignores what it is asked says so by what comes back.

    A token that was drawn must have the same log-probability where it is scored.
    """
    ids = encode_prompt(lm.vocabulary, PROBE)
    drawn = [one for _, one in lm.draw(ids, GREEDY, [0], lambda which: True)]
    if "scores" not in lm.given or not isinstance(drawn[0], Drawn):
        return lm.given
    try:
        stats = lm.score([Read([*ids, drawn[0].id], len(ids) - 1)], 1)
    except MisfitError:
        return lm.given - {"scores", "ranks"}
    if abs(float(stats.logprob[-1]) - drawn[0].logprob) > NEAR:
        return lm.given - {"scores", "ranks"}
    return lm.given if stats.rank is not None else lm.given - {"ranks"}


def _folder(name: str, settings: Settings) -> Path:
    """Where a tokenizer lies: of an embedded model, in a folder, or on the Hub, without weights."""
    own = models_dir() / name
    if (folder := own if own.is_dir() else local_folder(name)) is not None:
        return folder
    try:
        found = snapshot_download(
            name, allow_patterns=FILES, endpoint=endpoint(), cache_dir=cache_dir(),
            token=token_of(settings), local_files_only=settings.offline,
        )  # fmt: skip
    except Exception:
        raise ModelError(
            f"The tokenizer ‘{name}’ is not here and cannot be fetched.", "Is its name right?"
        ) from None
    return Path(found)
