"""The lecture's structuring function F(y, u): a row as start token, prompt, answer, end token, and
which of these carry loss. Knows tokenizers; runs no model.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lmlab.errors import InputError
from lmlab.models import controls
from lmlab.models.chat import has_chat
from lmlab.models.tokens import Vocabulary
from lmlab.rendering import RenderError
from lmlab.text.parts import Prompt
from lmlab.text.records import Row, placed, where
from lmlab.text.rows import Faults, told
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig
from lmlab.training.masks import MaskKind, MaskToken, MaskView
from lmlab.training.rows import Cut, Written, cut, written

CHUNK = 400  # rows that are rendered at once
WARNED = 3  # rows named in a warning
SHOWN = 40  # characters of a row that are shown with its number


@dataclass(frozen=True)
class Example:
    """One row as ids."""

    ids: tuple[int, ...]  # start token, prompt, answer, end token, as far as they fit
    loss_from: int  # the first id that carries loss; all after it do
    answer_from: int  # the first id of the answer
    lead: int  # how many ids were put in front
    ended: bool  # whether the last id is the end token
    lost: int  # tokens of the answer that did not fit, the end token among them
    prompt: str  # the text before the answer
    answer: str  # the text of the answer
    truth: str | None  # what the row gives as the answer; None without a template
    number: int  # of the row, from 1
    place: str = ""  # the row of its file, in words; empty where that is not known
    # which ids carry loss, where that is not all from ``loss_from`` on; else empty
    own: tuple[bool, ...] = ()
    # the prompt as the model is asked it, with its answers; None without a template
    asked: Prompt | None = None
    control: str = ""  # a control token that stands in the row's own cells; empty for none

    @cached_property
    def n_loss(self) -> int:
        """Tokens that carry loss."""
        if self.own:
            return sum(self.own[self.loss_from :])
        return max(0, len(self.ids) - self.loss_from)

    def carries(self, place: int) -> bool:
        """Whether an id carries loss."""
        return place >= self.loss_from and (not self.own or self.own[place])

    @property
    def error(self) -> str:
        """Why nothing can be learned from it; empty where something can."""
        if self.n_loss:
            return ""
        words = " ".join((self.prompt or self.answer).split())
        shown = words if len(words) <= SHOWN else words[:SHOWN] + "…"
        named = self.place or f"row {self.number:,}"
        place = f"{named[:1].upper()}{named[1:]} (‘{shown}’)"
        if self.lost:
            return (
                f"{place}: no token carries loss. The prompt alone fills the {len(self.ids):,} "
                "tokens that are read, and the answer is cut off."
            )
        return f"{place}: no token carries loss."


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
        vocabulary: the model's.
        template: the wording; None takes the column ``text`` as it is.
        rows: with the template's columns.
        config: the form, what carries loss, and the longest row.
        context: positions that the model can read.
        first: number of the first row.
        end: the token that is taught to end an answer; None takes the tokenizer's own.
        faults: what becomes of rows that cannot be read; None refuses the first.

    Raises:
        InputError: a row lacks a column, cannot be rendered, or makes no tokens; the chat form of a
            model that has none.
    """
    limit = _limit(config, context)
    ends = vocabulary.tokenizer.eos_token_id if end is None else end
    for low in range(0, len(rows), CHUNK):
        part = list(enumerate(rows[low : low + CHUNK], first + low))
        for number, row, text in _written(vocabulary, template, part, config, faults or Faults()):
            try:
                found = cut(vocabulary, text, config, ends)
                vocabulary.checked(found.ids)
            except InputError as error:
                said = placed(row, number, error.message)
                (faults or Faults()).take(InputError(said, error.hint))
            else:
                made = _example(text, found, config, limit, number)
                yield replace(made, place=where(row, number))


def _limit(config: FinetuneConfig, context: int) -> int:
    if config.max_length > context:
        raise InputError(
            f"Rows of {config.max_length:,} tokens are longer than the model reads.",
            f"Take at most {context:,}.",
        )
    return config.max_length or context


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


def _example(row: Written, cut: Cut, config: FinetuneConfig, limit: int, number: int) -> Example:
    ids, answer_from = cut.ids, cut.answer_from
    whole = config.loss_on == "all"
    return Example(
        ids=ids[:limit],
        # Nothing comes before the first token, so that it cannot be predicted.
        loss_from=1 if whole or cut.own else max(1, answer_from),
        answer_from=answer_from,
        lead=cut.lead,
        ended=cut.ended and len(ids) <= limit,
        lost=max(0, len(ids) - max(limit, answer_from)),
        prompt=cut.prompt,
        answer=cut.answer,
        truth=row.truth,
        number=number,
        own=() if whole else cut.own[:limit],
        asked=row.prompt if row.truth is not None else None,
        control=row.control,
    )


def checked(examples: Iterable[Example], faults: Faults | None = None) -> list[Example]:
    """The examples from which something can be learned.

    Raises:
        InputError: one of them has no token that carries loss, and faults are not gathered; or all
            have none.
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
        loss = example.carries(place)
        text = vocabulary.reader(example.ids, place)(token)
        tokens.append(MaskToken(token, text, _kind(example, place), loss))
    return MaskView(
        row=example.number - 1,
        rows=rows,
        tokens=tuple(tokens),
        prompt=example.prompt,
        answer=example.answer,
        warnings=warnings_of(vocabulary, [example], config),
        error=example.error,
    )


def _kind(example: Example, place: int) -> MaskKind:
    if place < example.lead:
        return "start"
    if place < example.answer_from:
        return "answer" if example.own and example.carries(place) else "prompt"
    return "end" if example.ended and place == len(example.ids) - 1 else "answer"
