"""The lecture's structuring function F(y, u): a row as start token, prompt, answer, end token, and
which of these carry loss. Knows tokenizers; runs no model.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.models import controls
from lmlab.models.chat import has_chat
from lmlab.models.tokens import Vocabulary
from lmlab.rendering import RenderError
from lmlab.text.records import Row, placed, where
from lmlab.text.rows import Faults, told
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig
from lmlab.training.rows import Example, Written, cut, written
from lmlab.training.sets import MaskKind, MaskToken, MaskView

CHUNK = 400  # rows that are rendered at once
WARNED = 3  # rows named in a warning


@dataclass(frozen=True)
class Material:
    """What a run reads, structured."""

    train: Sequence[Example]  # rows that are learned from, each with a token that carries loss
    valid: Sequence[Example] = ()  # rows that are held out
    probe: Sequence[Example] = ()  # general texts
    template: PromptTemplate | None = None  # the wording; None for plain text
    notes: tuple[str, ...] = ()  # what became of rows that are not there, in sentences


def structured(
    vocabulary: Vocabulary,
    template: PromptTemplate | None,
    rows: Sequence[Row],
    config: FinetuneConfig,
    context: int,
    first: int = 1,
    end: int | None = None,
    faults: Faults | None = None,
) -> Iterator[Example]:
    """Every row by F.

    Args:
        template: the wording; None takes the column ``text`` as it is.
        config: the form, what carries loss, and the longest row.
        context: positions that the model can read.
        first: number of the first row.
        end: the token that is taught to end an answer; None takes the tokenizer's own.
        faults: what becomes of rows that cannot be read; None refuses the first.

    Raises:
        InputError: a row lacks a column, cannot be rendered, or makes no tokens; the chat form of a
            model that has none.
    """
    limit = config.max_length or context
    if limit > context:
        raise InputError(
            f"Rows of {limit:,} tokens are longer than the model reads.",
            f"Take at most {context:,}.",
        )
    ends = vocabulary.tokenizer.eos_token_id if end is None else end
    faults = faults or Faults()
    for low in range(0, len(rows), CHUNK):
        part = list(enumerate(rows[low : low + CHUNK], first + low))
        for number, row, text in _written(vocabulary, template, part, config, faults):
            try:
                made = cut(vocabulary, text, config, ends, limit, number, where(row, number))
            except InputError as error:
                faults.take(InputError(placed(row, number, error.message), error.hint))
            else:
                yield made


def _written(
    vocabulary: Vocabulary,
    template: PromptTemplate | None,
    rows: Sequence[tuple[int, Row]],
    config: FinetuneConfig,
    faults: Faults,
) -> Iterator[tuple[int, Row, Written]]:
    """Number, row and text of each numbered row; those that cannot be rendered are faults."""
    while rows:
        try:
            texts = list(
                written(vocabulary, template, [row for _, row in rows], config, rows[0][0])
            )
        except RenderError as error:
            faults.take(error)
            left = [one for one in rows if one[1] is not error.row]
            if len(left) == len(rows):
                raise
            rows = left
        else:
            yield from ((*one, text) for one, text in zip(rows, texts, strict=True))
            return


def checked(examples: Iterable[Example], faults: Faults | None = None) -> list[Example]:
    """The examples from which something can be learned. Raises InputError: one of them has no token
    that carries loss, and faults are not gathered; or all have none.
    """
    found = []
    for example in examples:
        if not example.error:
            found.append(example)
            continue
        hint = "Shorten the row, or choose a model that reads more tokens."
        (faults or Faults()).take(InputError(example.error, hint))
    if faults and faults.said and not found:
        raise InputError("No row is left to learn from.", told(faults.said))
    return found


def warnings_of(
    vocabulary: Vocabulary, examples: Sequence[Example], config: FinetuneConfig
) -> tuple[str, ...]:
    """What a reader has to know about the rows, in sentences."""
    found = []
    if not config.end_token:
        found.append("No end token follows the answers, so the model does not learn to stop.")
    elif any(example.own and not example.ended and not example.lost for example in examples):
        found.append(
            "The chat template’s own mask leaves out the end of the turn, so the model does not "
            "learn to stop."
        )
    elif not any(example.ended or example.lost for example in examples):
        found.append("The model's tokenizer has no end token, so the model does not learn to stop.")
    asked = any(example.asked is not None for example in examples)
    if asked and config.form == "plain" and has_chat(vocabulary):
        found.append(
            "This model has a chat template and learns in the plain form; it is asked in the plain "
            "form afterwards as well."
        )
    typed = [(example.number, example.control) for example in examples if example.control]
    found += controls.said(typed)
    long = [example for example in examples if example.lost]
    if long:
        places = ", ".join(e.place or f"row {e.number:,}" for e in long[:WARNED])
        more = " and others" if len(long) > WARNED else ""
        which = f"{places[:1].upper()}{places[1:]} is"
        if len(long) > 1:
            which = f"{len(long):,} rows ({places}{more}) are"
        found.append(
            f"{which} longer than the {len(long[0].ids):,} tokens that are read: the end of the "
            "answer is cut off, and the end token with it."
        )
    return tuple(found)


def mask_view(
    vocabulary: Vocabulary, example: Example, config: FinetuneConfig, rows: int
) -> MaskView:
    """A structured row as tokens with and without loss."""
    tokens = []
    for place, token in enumerate(example.ids):
        loss, text = example.carries(place), vocabulary.reader(example.ids, place)(token)
        kind: MaskKind = "answer"
        if place < example.lead:
            kind = "start"
        elif place < example.answer_from:  # of a chat, earlier turns may carry loss as well
            kind = "answer" if example.own and loss else "prompt"
        elif example.ended and place == len(example.ids) - 1:
            kind = "end"
        tokens.append(MaskToken(token, text, kind, loss))
    warnings = warnings_of(vocabulary, [example], config)
    return MaskView(
        example.number - 1, rows, tuple(tokens), example.prompt, example.answer, warnings,
        example.error,
    )  # fmt: skip
