"""Prompt designs without a model, for tests of the page: real templates, made-up answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lmlab.errors import ModelError
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.queried import Asked, Weighed
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.studies import Cell, Studying
from lmlab.generation.completions import Step
from lmlab.generation.config import GenerateConfig
from lmlab.progress import Loading
from lmlab.scoring.pairs import Judged, MinimalPair, PairsResult, shipped_pairs
from lmlab.scoring.scored import Scored
from lmlab.text.parts import Part, Prompt
from lmlab.text.predictions import Prediction
from lmlab.text.protocols import asked, drawn
from lmlab.text.wordings import tuned_wording

CONTEXT = 64


@dataclass(frozen=True)
class FakePrompting(Prompting):
    """Answers what ``Prompting`` answers; more shots are more often right."""

    complete: Callable[..., Iterator[Any]] = None
    score: Callable[..., Iterator[Any]] = None
    pause: float = 0.0

    def tuned(self, name):
        found = tuned_wording(name)
        return None if found is None else found.model_copy(update={"tuned": "base-early"})

    def preview(self, model, template, examples, query, *, form=None):
        plain = template.encode(examples, query)
        taken = form or ("chat" if model == "letters" else "plain")
        chat = _chat(plain) if taken == "chat" else None
        notes = (f"The prompt has the {form} form.",) if form else ()
        prompt, n = chat or plain, len((chat or plain).text.split())
        return Asked(prompt, plain if chat else None, n, CONTEXT, taken, notes)

    def run(self, model, template, examples, query, *, form=None):
        if model == "nowhere":
            raise ModelError("There is no model named ‘nowhere’.", "Here there are: base.")
        prompt = template.encode(examples, query)
        yield Loading(f"Loading {model} …")
        yield self.preview(model, template, examples, query, form=form)
        config = GenerateConfig(max_new_tokens=6, temperature=0, stop=template.stop)
        text = ""
        for event in self.complete(model, prompt.text, config):
            if isinstance(event, Step):
                text += event.shown
                yield event
        yield template.decode(text, targets=prompt.targets)
        if template.chooses:
            labels = tuple(prompt.targets)
            n = len(labels)
            shares = tuple(2 * (n - i) / (n * (n + 1)) for i in range(n))
            ways = {"sum": labels[0], "calibrated": labels[-1]}
            yield Weighed(labels, shares, shares[::-1], ways)

    def study(self, designs):
        for place, design in enumerate(designs):
            queries = asked(design.data, design.protocol)
            sets = design.examples or drawn(design.data, design.protocol)
            for draw in range(len(sets)):
                time.sleep(self.pause)
                yield Studying(place, len(designs), design.label, draw, len(sets))
                some = _evaluation(design, queries[: 5 + draw], 1)
                yield Cell(place, design.label, some, final=False)
            yield Cell(place, design.label, _evaluation(design, queries, len(sets)), final=True)

    def judge(self, model, good, bad):
        scored = []
        for text in (good, bad):
            scored += [s for s in self.score(model, text) if isinstance(s, Scored)]
        yield Judged(MinimalPair("own", good, bad), *scored)

    def judge_all(self, model, pairs=None):
        given = shipped_pairs() if pairs is None else pairs
        rows = tuple((p.kind, p.good, p.bad, 1.0 if i % 4 else -1.0) for i, p in enumerate(given))
        yield PairsResult(model, rows[:16], len(rows))
        time.sleep(self.pause)
        yield PairsResult(model, rows, len(rows))


def _chat(plain: Prompt) -> Prompt:
    """The same between marks, as a chat template would put it."""
    open_, close = "<user> ", " <answer>"
    moved = [Part(p.kind, p.start + 7, p.end + 7, p.index) for p in plain.parts]
    end = len(plain.text) + 7
    parts = (Part("chat", 0, 7), *moved, Part("chat", end, end + len(close)))
    return Prompt(open_ + plain.text + close, parts, plain.target, plain.targets)


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
        form=design.protocol.form or "plain",
        seconds=0.1,
    )


def _prediction(template, row, number, draw, shots, labels) -> Prediction:
    truth = row[template.answer]
    right = (number * 7 + draw * 3) % 10 < 3 + shots
    options = tuple(template.choices(row)) if template.options else ()
    labels = options or labels
    wrong = next((label for label in labels if label != truth), "something else")
    answer = truth if right else wrong
    scores = tuple(-0.5 if label == answer else -2.0 for label in labels)
    query = template.encode([], row).text
    choices = (("sum", answer), ("calibrated", truth)) if labels else ()
    return Prediction(
        row=number, draw=draw, query=query, truth=truth, answer=answer, correct=right,
        nll=2.0 - shots / 10, n_tokens=2, n_prompt=20 + 10 * shots, logprobs=scores,
        calibrated=scores, choices=choices, completion="" if labels else f" {answer}",
        f1=float(right), options=options,
    )  # fmt: skip
