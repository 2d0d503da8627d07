"""How good a prompt design is: a template, examples and a model, measured on a labelled set.

Labels are compared by likelihood, free answers are generated and read by the template's G; the
negative log-likelihood of the true answer is always there.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lmlab.errors import InputError
from lmlab.features.prompt.asking import Asking, content_free
from lmlab.features.prompt.evaluations import Evaluating, Evaluation
from lmlab.features.prompt.notes import notes_of
from lmlab.models.model import LM
from lmlab.text.predictions import Unfit
from lmlab.text.protocols import Protocol, asked, drawn
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate


def evaluate(
    lm: LM, template: PromptTemplate, data: Dataset, protocol: Protocol | None = None
) -> Evaluation:
    """Measure a design; see ``iter_evaluate`` for the arguments and what can go wrong."""
    found = [s for s in iter_evaluate(lm, template, data, protocol) if isinstance(s, Evaluation)]
    return found[-1]


def iter_evaluate(
    lm: LM,
    template: PromptTemplate,
    data: Dataset,
    protocol: Protocol | None = None,
    *,
    examples: Sequence[Sequence[Row]] | None = None,
) -> Iterator[Evaluating | Evaluation]:
    """Measure a design, as a stream: progress, then the result.

    Raises:
        InputError: a row lacks a column, a label is unknown, there are fewer rows than shots, or no
            prompt fits the model's context.
        ModelError: the model gives not-a-number.
    """
    protocol = protocol or Protocol()
    data.check(template.needed)
    _check(template, data.pool, f"{data.name}, examples")
    _check(template, data.queries, f"{data.name}, queries")
    queries = asked(data, protocol)
    sets = drawn(data, protocol) if examples is None else examples
    blanks = content_free(template)
    examples_flat = [row for rows in sets for row in rows]
    instruction, pieces = template.pieces([*queries, *blanks, *examples_flat])
    n = len(queries)
    blank_pieces = pieces[n : n + len(blanks)]
    asking = Asking(lm, template, protocol, instruction, blank_pieces, lm.shares)
    rest = iter(pieces[n + len(blanks) :])
    result = _begun(asking, data, sets, queries)
    started, total = time.perf_counter(), n * len(sets)
    yield Evaluating(0, total)
    for draw, rows in enumerate(sets):
        shown = [next(rest) for _ in rows]
        for part in asking.ask(draw, shown, pieces[:n]):
            if isinstance(part, Unfit):
                result = replace(result, unfit=(*result.unfit, part))
            else:
                result = replace(result, predictions=(*result.predictions, *part))
            result = replace(result, seconds=time.perf_counter() - started)
            done = len(result.predictions) + len(result.unfit)
            yield Evaluating(done, total, result if result.predictions else None)
    yield _finished(lm, result)


def _check(template: PromptTemplate, rows: Sequence[Row], place: str) -> None:
    try:
        template.check(rows)
    except InputError as error:
        raise InputError(f"{place}: {error.message}", error.hint) from None


def _begun(
    asking: Asking, data: Dataset, sets: Sequence[Sequence[Row]], queries: Sequence[Row]
) -> Evaluation:
    """A result without predictions."""
    lm, template, protocol = asking.lm, asking.template, asking.protocol
    examples = [row for rows in sets for row in rows]
    told = notes_of(lm.vocabulary, template, examples, queries, asking.form, lm.form)
    return Evaluation(
        model=lm.name,
        template=template.name,
        data=data.name,
        shots=max(len(rows) for rows in sets),
        draws=len(sets),
        seed=protocol.seed,
        labels=tuple(template.labels),
        way=protocol.way,
        predictions=(),
        notes=(*data.notes, *told, *_notes(template, queries, protocol)),
        form=asking.form,
    )


def _finished(lm: LM, result: Evaluation) -> Evaluation:
    """In order of draws and rows; refuses a result without a single answer."""
    lengths = [one.n_tokens for one in result.unfit]
    if not result.predictions:
        raise InputError(
            f"No prompt fits: they have {min(lengths):,} to {max(lengths):,} tokens with the "
            f"answer; ‘{lm.name}’ reads at most {lm.context:,}.",
            "Take fewer shots or shorter rows.",
        )
    ordered = tuple(sorted(result.predictions, key=lambda p: (p.draw, p.row)))
    notes = result.notes
    if lengths:
        notes += (
            f"{len(lengths)} of {len(lengths) + len(ordered)} prompts were not asked: they have up "
            f"to {max(lengths):,} tokens, and the model reads at most {lm.context:,}.",
        )
    return replace(result, predictions=ordered, notes=notes)


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
    for short, longer in _beginnings(template.labels.values()):
        yield (
            f"‘{short}’ begins ‘{longer}’: by sum the shorter one can never lose to the "
            "longer. Look at the other ways too."
        )
    if template.options:
        n = sum(bool(_beginnings(template.choices(row).values())) for row in queries)
        if n:
            yield (
                f"In {n:,} of {len(queries):,} rows one option begins another: by sum the shorter "
                "one can never lose to the longer. Look at the other ways too."
            )


def _beginnings(words: Iterable[str]) -> list[tuple[str, str]]:
    """Words that begin another one, each with the first that it begins."""
    ordered = sorted(words, key=len)
    found = []
    for i, short in enumerate(ordered):
        longer = next((word for word in ordered[i + 1 :] if word.startswith(short)), None)
        if longer is not None:
            found.append((short, longer))
    return found
