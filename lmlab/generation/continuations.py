"""The tree of what could come after a prompt, as far as it was looked at.

A place of the tree is expanded when its whole next-token distribution is known: the likeliest
tokens there become places of their own, and the probability of all others stays with them, unseen.
Places are expanded level by level, the most probable first, and those on a path: the greedy one,
those of a beam search, those of samples.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from lmlab.generation.complete import check_room
from lmlab.generation.config import TreeConfig
from lmlab.generation.sampling import GenerateConfig, draw, warp
from lmlab.generation.streams import STRIDE
from lmlab.models.decoding import SharedPrefix, common_prefix, refuse_nan
from lmlab.models.model import LM
from lmlab.progress import Progress

ROOT = 0
BUDGET = 24_000_000  # bytes of logits that are kept, those on a path besides
BATCH = 32  # places expanded at once


@dataclass(frozen=True, slots=True)
class Place:
    """A token that could stand here, after those of its parent; the first place is the prompt."""

    parent: int  # the place before it; −1 for the prompt
    depth: int  # 0 for the prompt
    id: int
    text: str  # what the token shows as
    logprob: float  # of the token where it stands, under the model's own distribution, in nats
    total: float  # of all tokens from the prompt to here
    end: bool = False  # whether the text ends here


@dataclass(frozen=True)
class Continuations:
    """A tree."""

    model: str
    prompt: str
    ids: tuple[int, ...]  # of the prompt, and of what is fixed after it
    fixed: int  # how many of them are fixed tokens after the prompt
    depth: int  # how deep it is; less than was asked for where the context ends
    places: tuple[Place, ...]
    row: dict[int, int]  # of an expanded place, in ``rows``
    rows: NDArray[Any]  # [N, V] float32: the logits at the expanded places, as the model gives them
    greedy: tuple[int, ...]  # the places that the likeliest token leads through
    beams: tuple[tuple[int, ...], ...]  # those of the beam search, best first
    samples: int  # how many are drawn

    def path(self, place: int) -> tuple[int, ...]:
        """The places from the first token to this one."""
        return _path(self.places, place)

    def tokens(self, place: int) -> tuple[int, ...]:
        """Their ids."""
        return tuple(self.places[one].id for one in self.path(place))

    def text(self, place: int) -> str:
        """What they show as."""
        return "".join(self.places[one].text for one in self.path(place))


@dataclass(frozen=True)
class Shaped:
    """What the sampling controls make of a tree."""

    after: tuple[float, ...]  # probability of each place's token where it stands
    # of each expanded place: probability of the tokens that are no places, before and after
    rest: dict[int, tuple[float, float]]
    kept: dict[int, int]  # of each expanded place: how many tokens the controls leave possible
    # what is drawn: places, and whether it goes on with a token that is none
    samples: tuple[tuple[tuple[int, ...], bool], ...]

    def along(self, path: Sequence[int]) -> float:
        """Probability of a path after the controls."""
        return math.prod(self.after[place] for place in path)


def iter_tree(
    lm: LM,
    prompt: str,
    ids: Sequence[int],
    config: GenerateConfig | None = None,
    extent: TreeConfig | None = None,
    start: Sequence[int] = (),
) -> Iterator[Progress | Continuations]:
    """Expand a tree; yields progress, in levels, then the tree.

    Args:
        ids: of the prompt, as ``encode_prompt`` gives them.
        config: the controls: what is most probable after them is expanded too, and what is drawn.
        extent: how much of the tree is looked at.
        start: tokens after the prompt that are fixed.

    Raises:
        InputError: prompt and start are longer than the context.
        ModelError: the model gives no whole distributions, or not-a-number.
    """
    read = (*ids, *start)
    check_room(lm, read)
    growing = _Growing(lm, read, len(start), config or GenerateConfig(), extent or TreeConfig())
    for level in range(growing.depth):
        yield Progress(level, growing.depth)
        growing.expand(level)
    yield growing.tree(prompt)


@dataclass
class _Growing:
    """A tree on its way."""

    lm: LM
    ids: tuple[int, ...]
    fixed: int
    config: GenerateConfig
    extent: TreeConfig
    places: list[Place] = field(default_factory=lambda: [Place(-1, 0, -1, "", 0.0, 0.0)])
    known: dict[tuple[int, int], int] = field(default_factory=dict)  # a place by parent and id
    after: list[float] = field(default_factory=lambda: [1.0])  # of each path, after the controls
    row: dict[int, int] = field(default_factory=dict)
    rows: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.depth = min(self.extent.depth, self.lm.context - len(self.ids) + 1)
        self.greedy, self.beams, self.drawn = ROOT, [ROOT], [ROOT] * self.extent.samples
        prefix = common_prefix([self.ids[:-1]], self.lm.context)
        self.reader, self.rest = SharedPrefix(self.lm, prefix), self.ids[len(prefix) :]

    def expand(self, level: int) -> None:
        """Look at places of a level, and go one token further on each path."""
        chosen = self._chosen(level)
        width = level + len(self.rest if self.lm.shares else self.ids)
        size = max(1, min(BATCH, self.lm.batch_tokens // width))
        pieces = [chosen[low : low + size] for low in range(0, len(chosen), size)]
        logits = torch.cat([self._logits(some) for some in pieces])
        read = [(*self.ids, *self._tokens(place)) for place in chosen]
        controlled = warp(logits, _padded(read).to(logits.device), self.config)
        logp = logits.log_softmax(-1)
        tops = logp.topk(min(self.extent.width, logp.shape[1])).indices.tolist()
        found = dict(zip(chosen, zip(logp, controlled, tops, strict=True), strict=True))
        for place, (own, after, top) in found.items():
            self.row[place] = len(self.row)
            for token in top:
                self._place(place, token, own, after)
        self.rows.append(logits.cpu())
        self._go_on(level, found)

    def _chosen(self, level: int) -> list[int]:
        """What is expanded; after one that ends comes nothing."""
        there = [i for i, one in enumerate(self.places) if one.depth == level and not one.end]
        most = BUDGET // (4 * self.lm.width * self.depth)
        worth = {i: max(math.exp(self.places[i].total), self.after[i]) for i in there}
        there.sort(key=lambda place: -worth[place])
        paths = {self.greedy, *self.beams, *self.drawn} & worth.keys()
        return sorted({*there[: max(1, min(self.extent.expanded, most))], *paths})

    @torch.inference_mode()
    def _logits(self, places: Sequence[int]) -> Tensor:
        """Of what comes next at places of one level, [N, V]."""
        rows = self.reader.rows([(*self.rest, *self._tokens(place)) for place in places])
        logits = self.lm.head.logits(rows[:, -1]).float()
        refuse_nan(logits, self.lm.name, "this prompt")
        return logits

    def _tokens(self, place: int) -> tuple[int, ...]:
        return tuple(self.places[one].id for one in _path(self.places, place))

    def _place(self, parent: int, token: int, own: Tensor, after: Tensor) -> int:
        """The place of a token, made if need be, by the log-probabilities [V] and probabilities
        after the controls [V] there."""
        key, before = (parent, token), self.places[parent]
        if key not in self.known:
            self.known[key] = len(self.places)
            text = self.lm.vocabulary.reader((*self.ids, *self._tokens(parent)))(token)
            logprob = min(float(own[token]), 0.0)
            total, end = before.total + logprob, token in self.lm.ends
            self.places.append(Place(parent, before.depth + 1, token, text, logprob, total, end))
            self.after.append(self.after[parent] * float(after[token]))
        return self.known[key]

    def _go_on(self, level: int, found: dict[int, tuple[Tensor, Tensor, list[int]]]) -> None:
        def best(place: int, count: int) -> list[int]:
            if place not in found:
                return [place]  # it has ended
            own, after, _ = found[place]
            tokens = own.topk(min(count, len(own))).indices.tolist()
            return [self._place(place, token, own, after) for token in tokens]

        (self.greedy,) = best(self.greedy, 1)
        wider = [one for place in self.beams for one in best(place, self.extent.beam)]
        self.beams = sorted(wider, key=lambda one: -self.places[one].total)[: self.extent.beam]
        for i, place in enumerate(self.drawn):
            if place in found:
                own, after, _ = found[place]
                token = _drawn(after, self.config, i, self.fixed + level)
                self.drawn[i] = self._place(place, token, own, after)

    def tree(self, prompt: str) -> Continuations:
        """What was found."""
        return Continuations(
            model=self.lm.name,
            prompt=prompt,
            ids=self.ids,
            fixed=self.fixed,
            depth=self.depth,
            places=tuple(self.places),
            row=self.row,
            rows=torch.cat(self.rows).numpy(),
            greedy=_path(self.places, self.greedy),
            beams=tuple(_path(self.places, one) for one in self.beams),
            samples=self.extent.samples,
        )


def shaped(tree: Continuations, config: GenerateConfig) -> Shaped:
    """What the controls make of a tree; runs no model."""
    rows = torch.from_numpy(tree.rows)
    read = [(*tree.ids, *tree.tokens(place)) for place in tree.row]
    controlled = warp(rows, _padded(read), config)
    own = rows.double().softmax(-1)
    children: dict[int, dict[int, int]] = {place: {} for place in tree.row}
    for i, one in enumerate(tree.places[1:], 1):
        children[one.parent][one.id] = i
    after, rest, kept = [1.0] * len(tree.places), {}, {}
    for place, row in tree.row.items():
        tokens = list(children[place])
        for token, p in zip(tokens, controlled[row, tokens].tolist(), strict=True):
            after[children[place][token]] = p
        others = torch.ones(rows.shape[1], dtype=torch.bool)
        others[tokens] = False
        both = (own[row], controlled[row].double())
        rest[place] = (float(both[0][others].sum()), float(both[1][others].sum()))
        kept[place] = int((controlled[row] > 0).sum())
    drawn = (_sample(tree, children, controlled, config, i) for i in range(tree.samples))
    return Shaped(tuple(after), rest, kept, tuple(drawn))


def _sample(
    tree: Continuations,
    children: dict[int, dict[int, int]],
    controlled: Tensor,
    config: GenerateConfig,
    which: int,
) -> tuple[tuple[int, ...], bool]:
    """A draw as far as the tree goes, and whether it goes on with a token that is no place."""
    path, place = list[int](), ROOT
    while place in tree.row:
        row = controlled[tree.row[place]]
        token = _drawn(row, config, which, tree.fixed + len(path))
        if token not in children[place]:
            return tuple(path), True
        place = children[place][token]
        path.append(place)
    return tuple(path), len(path) < tree.depth and not tree.places[place].end


def _path(places: Sequence[Place], place: int) -> tuple[int, ...]:
    found = list[int]()
    while place != ROOT:
        found.append(place)
        place = places[place].parent
    return tuple(reversed(found))


def _drawn(row: Tensor, config: GenerateConfig, which: int, index: int) -> int:
    """A token from probabilities [V]: what a completion with this seed draws there."""
    generator = torch.Generator()
    generator.manual_seed(((config.seed + which) * STRIDE + index) % 2**63)
    return draw(row, generator, greedy=config.greedy)


def _padded(read: Sequence[Sequence[int]]) -> Tensor:
    """Ids [N, T]; shorter ones repeat their last, which the repetition penalty does not mind."""
    longest = max(map(len, read))
    return torch.tensor([[*ids, *[ids[-1]] * (longest - len(ids))] for ids in read])
