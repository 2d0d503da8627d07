"""One text under checkpoint after checkpoint, as the page asks for it; what cannot be asked is an
InputError. Each is scored once; what was scored lately is kept for whoever asks for the same.
Imports no torch before it scores.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lmlab.errors import InputError
from lmlab.features.change.changes import Moment, Reading, Stop
from lmlab.features.change.family import STEP
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import SHORT, runs_models
from lmlab.memo import Memo
from lmlab.models.refs import RUN, ModelRef
from lmlab.progress import Loading
from lmlab.scoring.scored import Scored

Key = tuple[str, int, str]  # model, step, text

MOST = 24  # revisions
MOST_TOKENS = 500
TOP = 8
KEPT = 200  # moments
OPENING = 24  # characters, to the end of the word
WRITTEN = GenerateConfig(max_new_tokens=28, temperature=0.8, seed=20, alternatives=0)


@dataclass(frozen=True)
class TimeMachine:
    """What can be asked about a model on its way."""

    lab: Lab
    _kept: Memo[Key, Moment] = field(default_factory=lambda: Memo(KEPT), repr=False)

    def shipped(self) -> tuple[Stop, ...]:
        """The embedded checkpoints of one pre-training run, in order; none where none ship."""
        found = [match for one in self.lab.store.embedded() if (match := STEP.fullmatch(one))]
        first = min((match[1] for match in found), default="")
        stops = [Stop(int(match[2]), match[0]) for match in found if match[1] == first]
        return tuple(sorted(stops, key=lambda stop: stop.step))

    def of_run(self, tuned: str) -> tuple[Stop, ...]:
        """A run, ``base+run:ID`` or ``run:ID``, from its base on, if it has one."""
        ref = ModelRef.parse(tuned)
        name = (ref.adapter or ref.name).partition("@")[0]
        runs = self.lab.store.runs
        run = runs.find(name.removeprefix(RUN)) if name.startswith(RUN) else None
        if run is None:
            raise InputError(
                "The tuned model above is not a run of yours, so there are no steps to show.",
                "Choose one of your runs there, or start one on the Fine-tune tab.",
            )
        spec = run.spec
        whole = f"{spec.model}+{name}" if spec.config.is_adapter else name
        stops = [Stop(step, f"{whole}@{step}") for step in run.snapshots]
        if (last := run.learned) is not None:
            final = int(last.name.partition("-")[2])
            stops = [stop for stop in stops if stop.step < final] + [Stop(final, whole)]
        if not stops:
            raise InputError(
                "This run has saved nothing yet.", "Wait for it, or let it run longer."
            )
        # A run from nothing has no model before it.
        start = f"{spec.model}+{spec.adapter}" if spec.adapter else spec.model
        return (*(() if spec.pretraining else (Stop(0, start),)), *stops)

    def of_revisions(self, name: str, revisions: str) -> tuple[Stop, ...]:
        """A model of the Hub at several revisions with commas or spaces between, each with the
        number of its step, such as Pythia's step0, step64, from first to last."""
        if not name.strip():
            raise InputError("No model is named.", "For instance EleutherAI/pythia-70m.")
        if "+" in name or "@" in name:
            raise InputError("That is not the name of a model alone.", "Its revisions stand below.")
        stops: dict[int, Stop] = {}
        asked = re.split(r"[\s,]+", revisions.strip())
        for revision in asked:
            number = re.search(r"\d+", revision)
            if number is None or len(number[0]) > 12:
                raise InputError(
                    f"‘{revision[:40]}’ does not tell a step.",
                    "For instance step0, step64, step512.",
                )
            stops[int(number[0])] = Stop(int(number[0]), f"{name.strip()}@{revision}")
        if not 2 <= len(asked) <= MOST:
            raise InputError(f"From 2 to {MOST} revisions can be shown, not {len(asked)}.")
        if len(stops) < len(asked):
            raise InputError("Two of the revisions are of the same step.")
        return tuple(stops[step] for step in sorted(stops))

    def travel(self, stops: Sequence[Stop], text: str) -> Iterator[Loading | Reading | Moment]:
        """The text at each stop, as soon as it is scored."""
        if not text.strip():
            raise InputError("There is no text.", "Type one, or choose an example.")
        self.lab.check_length(text)
        first: Scored | None = None
        for done, stop in enumerate(stops):
            yield Reading(done, len(stops), f"step {stop.step:,}")
            key = (stop.model, stop.step, text)
            moment = self._kept.get(key)
            if moment is None:
                yield from self.lab.ready(ModelRef.parse(stop.model))
                (moment,) = [one for one in self._at(stop, text) if isinstance(one, Moment)]
                # What lies in a folder of this machine may change.
                if (
                    "@" in stop.model
                    or RUN in stop.model
                    or stop.model in self.lab.store.embedded()
                ):
                    self._kept.put(key, moment)
            first = first or moment.scored
            _check_same(first, moment.scored)
            yield moment

    @runs_models("stop", seconds=SHORT)
    def _at(self, stop: Stop, text: str) -> Iterator[Moment]:
        import_core()
        from lmlab.generation.complete import generate
        from lmlab.scoring.score import ScoreRequest, iter_scores

        ref, most = ModelRef.parse(stop.model), min(MOST_TOKENS, self.lab.settings.max_tokens)
        with self.lab.store.borrow(ref) as lm:
            try:
                steps = iter_scores(lm, [ScoreRequest(text)], top_k=TOP, max_tokens=most)
                scored = next(step for step in steps if isinstance(step, Scored))
                written = "".join(step.shown for step in generate(lm, opening(text), WRITTEN))
                yield Moment(stop.step, scored, written, lm.width)
            finally:
                # There are many snapshots of a run, and what they said is kept.
                if lm.folder is not None and "@" in (ref.adapter or ""):
                    lm.adapters.detach(lm.folder)


def opening(text: str) -> str:
    """The first words of a text, that a checkpoint goes on from.

    >>> opening("Once upon a time there was a little dog who lived by the river.")
    'Once upon a time there was'
    """
    start = text.strip()[: 3 * OPENING]
    end = start.find(" ", OPENING)
    return start if end < 0 else start[:end].rstrip()


def _check_same(first: Scored, other: Scored) -> None:
    one, two = first.tokens, other.tokens
    if not one.alike(two) or one.columns["id"].tolist() != two.columns["id"].tolist():
        raise InputError(
            f"‘{first.model}’ and ‘{other.model}’ cut the text into different tokens.",
            "Choose checkpoints of one model.",
        )
