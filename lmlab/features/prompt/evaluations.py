"""What an evaluation gives back: its predictions, and the figures that follow from them.

Frozen results of plain Python values; log-likelihoods in nats. No torch, no models, no page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from lmlab.budget import Portion
from lmlab.maths import agreement
from lmlab.maths.agreement import Bin, Interval, finite
from lmlab.models.forms import Form
from lmlab.text.choosing import Way

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One query under one set of examples."""

    row: int  # number of the query, from 1
    draw: int  # which examples, from 0
    query: str  # without the examples
    truth: str  # the true answer or label
    answer: str | None  # what the model answered; None where nothing could be read
    correct: bool
    nll: float  # of the true answer given the prompt, in nats
    n_tokens: int  # of the true answer
    n_prompt: int  # tokens of the prompt
    logprobs: tuple[float, ...] = ()  # of each label or option, where there are some
    calibrated: tuple[float, ...] = ()  # the same less what they get after no content
    choices: tuple[tuple[Way, str], ...] = ()  # the label chosen in each way
    completion: str = ""  # what the model wrote, for a free answer
    reason: str = ""  # why no answer was read
    f1: float = 0.0  # token F1, for a free answer
    options: tuple[str, ...] = ()  # what was chosen from, where each row has its own


@dataclass(frozen=True, slots=True)
class Unfit:
    """A prompt that the model cannot read whole: which, and its length in tokens."""

    row: int
    draw: int
    n_tokens: int


@dataclass(frozen=True)
class Evaluation:
    """A design measured on a labelled set."""

    model: str
    template: str
    data: str
    shots: int  # examples in each prompt
    draws: int  # how many sets of examples
    seed: int
    labels: tuple[str, ...]  # of the template; empty for free answers and for options by row
    way: Way  # how a label is chosen
    predictions: tuple[Prediction, ...]  # one a query and draw
    unfit: tuple[Unfit, ...] = ()  # prompts that were too long
    notes: tuple[str, ...] = ()  # what a reader has to know, in sentences
    seconds: float = 0.0
    form: Form = "plain"  # that the prompts had
    context: int = 0  # most tokens that the model reads
    portion: Portion | None = None  # of the queries that were asked; None where all were

    @property
    def n(self) -> int:
        """Queries that were asked."""
        return len({p.row for p in self.predictions})

    @property
    def asked(self) -> int:
        """Prompts that were asked, and those that were too long for it."""
        return len(self.predictions) + len(self.unfit)

    @property
    def places(self) -> set[int]:
        """Places of the queries that were asked, from 0, those that were too long among them."""
        return {p.row - 1 for p in self.predictions} | {p.row - 1 for p in self.unfit}

    def within(self, portion: Portion | None) -> "Evaluation":
        """The same as what a part of the rows has shown, which is said."""
        notes = (portion.told(), *self.notes) if portion else self.notes
        return replace(self, portion=portion, notes=notes)

    @property
    def chosen(self) -> bool:
        """Whether answers were chosen by likelihood, rather than written."""
        return any(p.logprobs for p in self.predictions)

    @cached_property
    def accuracy(self) -> Interval:
        """Share of right answers (exact match for free ones), resampled by query."""
        return self._interval([float(p.correct) for p in self.predictions])

    @cached_property
    def nll(self) -> Interval:
        """Negative log-likelihood of the true answer, in nats."""
        return self._interval([p.nll for p in self.predictions])

    @cached_property
    def f1(self) -> Interval:
        """Token F1 of free answers; NaN where they are chosen."""
        return self._interval([] if self.chosen else [p.f1 for p in self.predictions])

    @property
    def by_draw(self) -> list[float]:
        """Accuracy of each draw."""
        return self._draws(p.correct for p in self.predictions)

    def draws_by(self, way: Way) -> list[float]:
        """Accuracy of each draw with labels chosen in one way."""
        return self._draws(dict(p.choices).get(way, p.answer) == p.truth for p in self.predictions)

    @property
    def nll_by_draw(self) -> list[float]:
        """Mean negative log-likelihood of the true answer in each draw, in nats."""
        return self._draws(p.nll for p in self.predictions)

    @property
    def spread(self) -> float:
        """Standard deviation of accuracy over draws."""
        return agreement.spread(self.by_draw)

    @property
    def by_way(self) -> dict[Way, float]:
        """Accuracy for each way of choosing a label; empty for free answers."""
        chosen = [(way, choice == p.truth) for p in self.predictions for way, choice in p.choices]
        hits = _grouped((way for way, _ in chosen), (hit for _, hit in chosen))
        return {way: sum(found) / len(found) for way, found in hits.items()}

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels; NaN where there are none that all rows share."""
        return agreement.macro_f1(*self._answers, self.labels)

    @property
    def confusion(self) -> list[list[int]]:
        """Counts by true label (row) and answered label (column)."""
        return agreement.confusion(*self._answers, self.labels)

    @cached_property
    def reliability(self) -> list[Bin]:
        """Confidence in the chosen label against how often it is right."""
        sure, hits = list[float](), list[bool]()
        for p in self.predictions:
            if p.logprobs:
                probabilities = self.probabilities(p)
                sure.append(max(probabilities))
                hits.append(self.choices(p)[probabilities.index(sure[-1])] == p.truth)
        return agreement.reliability(sure, hits)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error; NaN for free answers."""
        return agreement.calibration_error(self.reliability)

    @property
    def brier(self) -> float:
        """Brier score, from 0 to 2; NaN for free answers."""
        kept = [p for p in self.predictions if p.logprobs]
        truths = [self.choices(p).index(p.truth) for p in kept]
        return agreement.brier([self.probabilities(p) for p in kept], truths)

    def choices(self, p: Prediction) -> tuple[str, ...]:
        """What a prediction was chosen from."""
        return p.options or self.labels

    def probabilities(self, p: Prediction) -> tuple[float, ...]:
        """Of what it was chosen from, in proportion to exp(ln p), calibrated if that is the way."""
        scores = p.calibrated if self.way == "calibrated" and p.calibrated else p.logprobs
        return agreement.softmax(scores)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict of the figures, without the predictions; NaN becomes None."""
        figures: dict[str, Any] = {
            "form": self.form,
            "shots": self.shots,
            "draws": self.draws,
            "n": self.n,
            "accuracy": self.accuracy.mean,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
            "accuracy_spread": self.spread,
            "nll": self.nll.mean,
            "unfit": len(self.unfit),
            "seconds": round(self.seconds, 3),
        }
        if self.draws > 1:
            figures["accuracy_by_draw"] = self.by_draw
        if self.labels:
            figures["macro_f1"] = self.macro_f1
            figures |= {"confusion": self.confusion, "labels": list(self.labels)}
        if self.chosen:
            figures |= {"calibration_error": self.calibration_error, "brier": self.brier}
            figures["accuracy_by_way"] = {w: finite(value) for w, value in self.by_way.items()}
        else:
            figures["f1"] = self.f1.mean
        if self.portion:
            figures |= {"rows": self.portion.whole, "seconds_of_all": self.portion.seconds}
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {name: finite(value) for name, value in figures.items()} | notes

    def _interval(self, values: Sequence[float]) -> Interval:
        if not values:
            return Interval(math.nan, math.nan, math.nan)
        groups = _grouped((p.row for p in self.predictions), values)
        return agreement.bootstrap(list(groups.values()), self.seed)

    def _draws(self, values: Iterable[float]) -> list[float]:
        """The mean of each draw."""
        groups = _grouped((p.draw for p in self.predictions), values)
        return [sum(found) / len(found) for _, found in sorted(groups.items())]

    @property
    def _answers(self) -> tuple[list[str], list[str | None]]:
        """What is true, and what was answered."""
        return [p.truth for p in self.predictions], [p.answer for p in self.predictions]


def _grouped(keys: Iterable[K], values: Iterable[float]) -> dict[K, list[float]]:
    groups: dict[K, list[float]] = {}
    for key, value in zip(keys, values, strict=True):
        groups.setdefault(key, []).append(value)
    return groups


@dataclass(frozen=True, slots=True)
class Evaluating:
    """Progress of an evaluation."""

    done: int  # predictions made
    total: int
    so_far: Evaluation | None = None  # None before the first prediction
