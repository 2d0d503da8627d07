"""Prompt designs without a model, for tests of the page: real templates, made-up answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lmlab.completions import Step
from lmlab.controls import GenerateConfig
from lmlab.errors import ModelError
from lmlab.evaluations import Evaluation, Prediction
from lmlab.pairs import Judged, Pair, PairsResult, shipped_pairs
from lmlab.prompting import Asked, Prompting, Weighed
from lmlab.protocols import asked, drawn
from lmlab.results import Loading, Scored
from lmlab.studies import Cell, Studying

CONTEXT = 64


@dataclass(frozen=True)
class FakePrompting(Prompting):
    """Answers what ``lmlab.prompting.Prompting`` answers; more shots are more often right."""

    complete: Callable[..., Iterator[Any]] = None
    score: Callable[..., Iterator[Any]] = None
    pause: float = 0.0

    def measure(self, model: str, prompt: str) -> tuple[int, int]:
        return len(prompt.split()), CONTEXT

    def run(self, model, template, examples, query, *, chat=None):
        if model == "nowhere":
            raise ModelError("There is no model named ‘nowhere’.", "Here there are: base.")
        prompt = template.encode(examples, query)
        yield Loading(f"Loading {model} …")
        yield Asked(prompt, None, len(prompt.text.split()), CONTEXT)
        config = GenerateConfig(max_new_tokens=6, temperature=0, stop=template.stop)
        text = ""
        for event in self.complete(model, prompt.text, config):
            if isinstance(event, Step):
                text += event.shown
                yield event
        yield template.decode(text)
        if template.labels:
            n = len(template.labels)
            shares = tuple(2 * (n - i) / (n * (n + 1)) for i in range(n))
            labels = tuple(template.labels)
            ways = {"sum": labels[0], "calibrated": labels[-1]}
            yield Weighed(labels, shares, shares[::-1], ways)

    def study(self, designs):
        for place, design in enumerate(designs):
            queries = asked(design.data, design.protocol)
            sets = design.examples or drawn(design.data, design.protocol)
            for draw in range(len(sets)):
                time.sleep(self.pause)
                yield Studying(place, len(designs), design.label, draw, len(sets))
            yield Cell(place, design.label, _evaluation(design, queries, len(sets)), final=True)

    def judge(self, model, good, bad):
        scored = []
        for text in (good, bad):
            scored += [s for s in self.score(model, text) if isinstance(s, Scored)]
        yield Judged(Pair("own", good, bad), *scored)

    def judge_all(self, model):
        rows = tuple(
            (p.kind, p.good, p.bad, 1.0 if i % 4 else -1.0) for i, p in enumerate(shipped_pairs())
        )
        yield PairsResult(model, rows[:16], len(rows))
        time.sleep(self.pause)
        yield PairsResult(model, rows, len(rows))


def _evaluation(design: Any, queries: Any, draws: int) -> Evaluation:
    template, shots = design.template, design.protocol.shots
    labels = tuple(template.labels)
    predictions = tuple(
        _prediction(template, row, number, draw, shots, labels)
        for draw in range(draws)
        for number, row in enumerate(queries, 1)
    )
    return Evaluation(
        model=design.model,
        template=template.name,
        data=design.data.name,
        shots=shots,
        draws=draws,
        seed=design.protocol.seed,
        labels=labels,
        way=design.protocol.way,
        predictions=predictions,
        notes=("A note of the fake.",) if shots == 2 else (),
        seconds=0.1,
    )


def _prediction(template, row, number, draw, shots, labels) -> Prediction:
    truth = row[template.answer]
    right = (number * 7 + draw * 3) % 10 < 3 + shots
    wrong = next((label for label in labels if label != truth), "something else")
    answer = truth if right else wrong
    scores = tuple(-0.5 if label == answer else -2.0 for label in labels)
    query = template.encode([], row).text
    choices = (("sum", answer), ("calibrated", truth)) if labels else ()
    return Prediction(
        row=number, draw=draw, query=query, truth=truth, answer=answer, correct=right,
        nll=2.0 - shots / 10, n_tokens=2, n_prompt=20 + 10 * shots, logprobs=scores,
        calibrated=scores, choices=choices, completion="" if labels else f" {answer}",
        f1=float(right),
    )  # fmt: skip
