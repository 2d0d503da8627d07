"""How good a prompt design is: a template, examples and a model, measured on a labelled set.

Labels are compared by likelihood, free answers are generated and read by the template's G; the
negative log-likelihood of the true answer is always there.
"""

import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from lmlab.errors import InputError
from lmlab.features.prompt.asking import Asking, notes_of, prepared
from lmlab.features.prompt.evaluations import Evaluating, Evaluation, Unfit
from lmlab.models.model import LM
from lmlab.text.protocols import Protocol, asked, drawn
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate


def evaluate(
    lm: LM, template: PromptTemplate, data: Dataset, protocol: Protocol | None = None
) -> Evaluation:
    """Measure a design; see ``iter_evaluate`` for the arguments and what can go wrong."""
    *_, found = iter_evaluate(lm, template, data, protocol)
    assert isinstance(found, Evaluation)
    return found


def iter_evaluate(
    lm: LM,
    template: PromptTemplate,
    data: Dataset,
    protocol: Protocol | None = None,
    *,
    examples: Sequence[Sequence[Row]] | None = None,
    places: Sequence[int] | None = None,
    before: Evaluation | None = None,
) -> Iterator[Evaluating | Evaluation]:
    """Measure a design, as a stream: progress, then the result.

    Args:
        data: with the template's columns.
        examples: sets in place of drawn ones, one a draw.
        places: which of the queries are asked now, from 0; by default all.
        before: the result of others, which this one goes on from.

    Raises:
        InputError: a row lacks a column, a label is unknown, there are fewer rows than shots, or,
            where all are asked at once, no prompt fits the model's context.
        ModelError: the model gives not-a-number.
    """
    protocol = protocol or Protocol()
    if before is None:
        _check(template, data)
    every, sets = asked(data, protocol), drawn(data, protocol) if examples is None else examples
    chosen = range(len(every)) if places is None else sorted(places)
    queries = [every[place] for place in chosen]
    asking = Asking(lm, template, protocol, *prepared(template, queries, sets))
    result = Evaluation(
        model=lm.name,
        template=template.name,
        data=data.name,
        shots=max(map(len, sets)),
        draws=len(sets),
        seed=protocol.seed,
        labels=tuple(template.labels),
        way=protocol.way,
        predictions=before.predictions if before else (),
        unfit=before.unfit if before else (),
        seconds=before.seconds if before else 0.0,
        form=asking.form,
        context=lm.context,
    )
    notes = _told(asking, data, every, sets, {*chosen, *result.places})
    for step in _filled(asking, replace(result, notes=notes), [place + 1 for place in chosen]):
        if places is None and isinstance(step, Evaluation):
            refuse_empty(step)
        yield step


def _told(
    asking: Asking,
    data: Dataset,
    every: Sequence[Row],
    sets: Sequence[Sequence[Row]],
    places: Set[int],
) -> tuple[str, ...]:
    """Notes on the queries at some places and on what they are asked after."""
    lm, template = asking.lm, asking.template
    known = [row if place in places else {} for place, row in enumerate(every)]
    shown = [row for rows in sets for row in rows]
    told = notes_of(lm.vocabulary, template, shown, known, asking.form, lm.form)
    own = _notes(template, [row for row in known if row], asking.protocol)
    return (*data.notes, *told, *own)


def _check(template: PromptTemplate, data: Dataset) -> None:
    data.check(template.needed)
    for part, rows in (("examples", data.pool), ("queries", data.queries)):
        try:
            template.check(rows)
        except InputError as error:
            raise InputError(f"{data.name}, {part}: {error.message}", error.hint) from None


def _filled(
    asking: Asking, result: Evaluation, numbers: Sequence[int]
) -> Iterator[Evaluating | Evaluation]:
    """The result as its predictions come, then all of it."""
    started = time.perf_counter() - result.seconds
    total = result.asked + len(numbers) * result.draws
    yield Evaluating(result.asked, total, result if result.predictions else None)
    for draw in range(result.draws):
        for part in asking.ask(draw, numbers):
            if isinstance(part, Unfit):
                result = replace(result, unfit=(*result.unfit, part))
            else:
                result = replace(result, predictions=(*result.predictions, *part))
            result = replace(result, seconds=time.perf_counter() - started)
            yield Evaluating(result.asked, total, result if result.predictions else None)
    yield _ordered(result)


def _ordered(result: Evaluation) -> Evaluation:
    """In order of draws and rows, and what was not asked is said."""
    ordered = tuple(sorted(result.predictions, key=lambda p: (p.draw, p.row)))
    notes, lengths = result.notes, [one.n_tokens for one in result.unfit]
    if lengths:
        notes += (
            f"{len(lengths)} of {len(lengths) + len(ordered)} prompts were not asked: they have up "
            f"to {max(lengths):,} tokens, and the model reads at most {result.context:,}.",
        )
    return replace(result, predictions=ordered, notes=notes)


def refuse_empty(result: Evaluation) -> None:
    """Raise an InputError where a result has not a single answer."""
    if result.predictions:
        return
    lengths = [one.n_tokens for one in result.unfit]
    raise InputError(
        f"No prompt fits: they have {min(lengths):,} to {max(lengths):,} tokens with the "
        f"answer; ‘{result.model}’ reads at most {result.context:,}.",
        "Take fewer shots or shorter rows.",
    )


def _notes(template: PromptTemplate, queries: Sequence[Row], protocol: Protocol) -> Iterator[str]:
    """What makes the figures mean less than they seem to."""
    truths = {row[template.answer] for row in queries}
    if template.labels and len(truths) == 1:
        yield (
            f"Every row is ‘{truths.pop()}’: accuracy says how often that label is chosen, and "
            "nothing about the others."
        )
    if template.options and protocol.way == "calibrated":
        yield "Options that differ by row are not calibrated: they are chosen by sum."
    said = "by sum the shorter one can never lose to the longer. Look at the other ways too."
    for short, longer in _beginnings(template.labels.values()):
        yield f"‘{short}’ begins ‘{longer}’: {said}"
    if template.options:
        n = sum(any(_beginnings(template.choices(row).values())) for row in queries)
        if n:
            yield f"In {n:,} of {len(queries):,} rows one option begins another: {said}"


def _beginnings(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Words that begin another one, each with the first that it begins."""
    ordered = sorted(words, key=len)
    for i, short in enumerate(ordered):
        longer = next((word for word in ordered[i + 1 :] if word.startswith(short)), None)
        if longer is not None:
            yield short, longer
