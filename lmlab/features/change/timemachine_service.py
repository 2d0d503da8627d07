"""One text under checkpoint after checkpoint, as the page asks for it. Each is
scored once; what was scored lately is kept for whoever asks for the same. Imports no torch before
something is scored.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.features.change import journey_stops
from lmlab.features.change.journeys import Moment, Stop, Travelling
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import SHORT, runs_models
from lmlab.memo import Memo
from lmlab.models.refs import RUN, ModelRef
from lmlab.progress import Loading
from lmlab.scoring.scored import Scored

if TYPE_CHECKING:
    from lmlab.models.model import LM

Key = tuple[str, int, str]  # model, step, text

MOST_TOKENS = 500
TOP = 8
KEPT = 200  # moments
OPENING = 24  # characters, to the end of the word
WRITTEN = GenerateConfig(max_new_tokens=28, temperature=0.8, seed=20, alternatives=0)


@dataclass(frozen=True)
class TimeMachine:
    """What can be asked about a model on its way.

    Attributes:
        lab: over whose models.
    """

    lab: Lab
    _kept: Memo[Key, Moment] = field(default_factory=lambda: Memo(KEPT), repr=False)

    def shipped(self) -> tuple[Stop, ...]:
        """The embedded checkpoints of a pre-training run; empty where none ship."""
        return journey_stops.shipped(self.lab.store.embedded())

    def of_run(self, tuned: str) -> tuple[Stop, ...]:
        """A fine-tuning run, ``base+run:ID`` or ``run:ID``, from its base on.

        Raises:
            InputError: that is no run, or it has saved nothing yet.
        """
        return journey_stops.of_run(tuned, self.lab.store.runs)

    def of_revisions(self, name: str, revisions: str) -> tuple[Stop, ...]:
        """A model of the Hub at several revisions, from first to last.

        Raises:
            InputError: they cannot be read as steps.
        """
        return journey_stops.of_revisions(name, revisions)

    def travel(self, stops: Sequence[Stop], text: str) -> Iterator[Loading | Travelling | Moment]:
        """The text at each stop, as soon as it is scored.

        Raises:
            LabError: the text is empty or too long, or a checkpoint cannot be read or cuts the text
                into other tokens than the first one.
        """
        if not text.strip():
            raise InputError("There is no text.", "Type one, or choose an example.")
        self.lab.check_length(text)
        first: Scored | None = None
        for done, stop in enumerate(stops):
            yield Travelling(done, len(stops), stop.step)
            key = (stop.model, stop.step, text)
            moment = self._kept.get(key)
            if moment is None:
                yield from self.lab.ready(ModelRef.parse(stop.model))
                (moment,) = [one for one in self._at(stop, text) if isinstance(one, Moment)]
                self._keep(key, moment)
            first = first or moment.scored
            _check_same(first, moment.scored)
            yield moment

    @runs_models("stop", seconds=SHORT)
    def _at(self, stop: Stop, text: str) -> Iterator[Moment]:
        import_core()
        ref, most = ModelRef.parse(stop.model), min(MOST_TOKENS, self.lab.settings.max_tokens)
        with self.lab.store.borrow(ref) as lm, _let_go(lm, ref):
            yield _moment(lm, stop, text, most)

    def _keep(self, key: Key, moment: Moment) -> None:
        # What lies in a folder of this machine may change.
        if "@" not in key[0] and RUN not in key[0] and key[0] not in self.lab.store.embedded():
            return
        self._kept.put(key, moment)


def opening(text: str) -> str:
    """The first words of a text, that a checkpoint goes on from.

    >>> opening("Once upon a time there was a little dog who lived by the river.")
    'Once upon a time there was'
    """
    start = text.strip()[: 3 * OPENING]
    end = start.find(" ", OPENING)
    return start if end < 0 else start[:end].rstrip()


def _moment(lm: "LM", stop: Stop, text: str, most: int) -> Moment:
    from lmlab.generation.complete import generate
    from lmlab.scoring.score import ScoreRequest, iter_scores

    steps = iter_scores(lm, [ScoreRequest(text)], top_k=TOP, max_tokens=most)
    scored = next(step for step in steps if isinstance(step, Scored))
    written = "".join(step.shown for step in generate(lm, opening(text), WRITTEN))
    width = lm.width
    return Moment(stop.step, scored, written, width)


@contextmanager
def _let_go(lm: "LM", ref: ModelRef) -> Iterator[None]:
    """Detach a run's snapshot afterwards: there are many, and what they said is kept."""
    try:
        yield
    finally:
        if lm.folder is not None and "@" in (ref.adapter or ""):
            lm.adapters.detach(lm.folder)


def _check_same(first: Scored, other: Scored) -> None:
    one, two = first.tokens, other.tokens
    if not one.alike(two) or one.columns["id"].tolist() != two.columns["id"].tolist():
        raise InputError(
            f"‘{first.model}’ and ‘{other.model}’ cut the text into different tokens.",
            "Choose checkpoints of one model.",
        )
