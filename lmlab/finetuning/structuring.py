"""The lecture's structuring function F(y, u): a row as start token, prompt, answer, end token, and
which of these carry loss. Knows tokenizers; runs no model.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lmlab.data.records import Row, where
from lmlab.data.rows import Faults, told
from lmlab.data.twins import Reads
from lmlab.errors import InputError
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.masks import MaskKind, MaskToken, MaskView
from lmlab.lm.tokens import Vocabulary, encode
from lmlab.prompts.parts import joined
from lmlab.prompts.templates import PromptTemplate
from lmlab.rendering import RenderError

PLAIN = "text"  # the column that is learned where there is no template
CHUNK = 400  # rows that are rendered at once
WARNED = 3  # rows named in a warning
SHOWN = 40  # characters of a row that are shown with its number


@dataclass(frozen=True)
class Example:
    """One row as ids.

    Attributes:
        ids: start token, prompt, answer, end token, as far as they fit.
        loss_from: the first id that carries loss; all after it do.
        answer_from: the first id of the answer.
        lead: how many ids were put in front.
        ended: whether the last id is the end token.
        lost: tokens of the answer that did not fit, the end token among them.
        prompt: the text before the answer.
        answer: the text of the answer.
        truth: what the row gives as the answer; None without a template.
        number: of the row, from 1.
        place: the row of its file, in words; empty where that is not known.
    """

    ids: tuple[int, ...]
    loss_from: int
    answer_from: int
    lead: int
    ended: bool
    lost: int
    prompt: str
    answer: str
    truth: str | None
    number: int
    place: str = ""

    @property
    def n_loss(self) -> int:
        """Tokens that carry loss."""
        return max(0, len(self.ids) - self.loss_from)

    @property
    def error(self) -> str:
        """Why nothing can be learned from it; empty where something can."""
        if self.n_loss:
            return ""
        words = " ".join((self.prompt or self.answer).split())
        shown = words if len(words) <= SHOWN else words[:SHOWN] + "…"
        place = f"{_upper(self.place or f'row {self.number:,}')} (‘{shown}’)"
        if self.lost:
            return (
                f"{place}: no token carries loss. The prompt alone fills the {len(self.ids):,} "
                "tokens that are read, and the answer is cut off."
            )
        return f"{place}: no token carries loss."


@dataclass(frozen=True)
class Material:
    """What a run reads, structured.

    Attributes:
        train: rows that are learned from, each with a token that carries loss.
        valid: rows that are held out.
        probe: general texts.
        template: the wording; None for plain text.
        notes: what became of rows that are not there, in sentences.
    """

    train: Sequence[Example]
    valid: Sequence[Example] = ()
    probe: Sequence[Example] = ()
    template: PromptTemplate | None = None
    notes: tuple[str, ...] = ()


def structured(
    vocabulary: Vocabulary,
    template: PromptTemplate | None,
    rows: Sequence[Row],
    config: FinetuneConfig,
    context: int,
    first: int = 1,
    faults: Faults | None = None,
) -> Iterator[Example]:
    """Every row by F.

    Args:
        vocabulary: the model's.
        template: the wording; None takes the column ``text`` as it is.
        rows: with the template's columns.
        config: what carries loss, and the longest row.
        context: positions that the model can read.
        first: number of the first row.
        faults: what becomes of rows that cannot be read; None refuses the first.

    Raises:
        InputError: a row lacks a column, cannot be rendered, or makes no tokens.
    """
    limit = _limit(config, context)
    for low in range(0, len(rows), CHUNK):
        part = list(enumerate(rows[low : low + CHUNK], first + low))
        for number, row, prompt, answer, truth in _texts(template, part, faults or Faults()):
            place = where(row, number)
            try:
                made = _example(vocabulary, config, limit, prompt, answer, truth, number)
            except InputError as error:
                said = f"{_upper(place)}: {_lower(error.message)}"
                (faults or Faults()).take(InputError(said, error.hint))
            else:
                yield replace(made, place=place)


def _limit(config: FinetuneConfig, context: int) -> int:
    if config.max_length > context:
        raise InputError(
            f"Rows of {config.max_length:,} tokens are longer than the model reads.",
            f"Take at most {context:,}.",
        )
    return config.max_length or context


def _texts(
    template: PromptTemplate | None, rows: Sequence[tuple[int, Row]], faults: Faults
) -> Iterator[tuple[int, Row, str, str, str | None]]:
    """Number, row, prompt, answer and truth of each numbered row."""
    if template is None:
        for number, row in rows:
            yield number, row, "", row.get(PLAIN, ""), None
        return
    while rows:
        try:
            instruction, pieces = template.pieces([row for _, row in rows], rows[0][0])
        except RenderError as error:
            faults.take(error)
            left = [one for one in rows if one[1] is not error.row]
            if len(left) == len(rows):
                raise
            rows = left
            continue
        for (number, row), piece in zip(rows, pieces, strict=True):
            prompt = joined(instruction, (), template.separator, piece)
            yield number, row, prompt.text, piece.target, row[template.answer]
        return


def _example(
    vocabulary: Vocabulary,
    config: FinetuneConfig,
    limit: int,
    prompt: str,
    answer: str,
    truth: str | None,
    number: int,
) -> Example:
    encoded = encode(vocabulary, answer, prompt)
    end = vocabulary.tokenizer.eos_token_id if config.end_token else None
    ids = encoded.ids if end is None else (*encoded.ids, int(end))
    vocabulary.checked(ids)
    start = encoded.n_context if config.loss_on == "answer" else 0
    return Example(
        ids=ids[:limit],
        # Nothing comes before the first token, so that it cannot be predicted.
        loss_from=max(1, start),
        answer_from=encoded.n_context,
        lead=len(encoded.lead),
        ended=end is not None and len(ids) <= limit,
        lost=max(0, len(ids) - max(limit, encoded.n_context)),
        prompt=encoded.prefix,
        answer=encoded.text,
        truth=truth,
        number=number,
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
    elif vocabulary.tokenizer.eos_token_id is None:
        found.append("The model's tokenizer has no end token, so the model does not learn to stop.")
    cut = [example for example in examples if example.lost]
    if cut:
        places = ", ".join(e.place or f"row {e.number:,}" for e in cut[:WARNED])
        more = " and others" if len(cut) > WARNED else ""
        one = f"{_upper(places)} is"
        which = one if len(cut) == 1 else f"{len(cut):,} rows ({places}{more}) are"
        found.append(
            f"{which} longer than the {len(cut[0].ids):,} tokens that are read: the end of the "
            "answer is cut off, and the end token with it."
        )
    return tuple(found)


def mask_view(
    vocabulary: Vocabulary, example: Example, config: FinetuneConfig, rows: int
) -> MaskView:
    """A structured row as tokens with and without loss."""
    tokens = []
    for place, token in enumerate(example.ids):
        loss = place >= example.loss_from
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
        return "prompt"
    return "end" if example.ended and place == len(example.ids) - 1 else "answer"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def columns_of(template: PromptTemplate | None) -> tuple[str, ...]:
    """The columns that every row needs."""
    return reads_of(template).needed


def reads_of(template: PromptTemplate | None) -> Reads:
    """What is read of a row."""
    return Reads((PLAIN,), (PLAIN,), (PLAIN,)) if template is None else template.reads
