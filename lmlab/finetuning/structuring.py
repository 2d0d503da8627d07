"""The lecture's structuring function F(y, u): a row as start token, prompt, answer, end token, and
which of these carry loss. Knows tokenizers; runs no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.masks import MaskKind, MaskToken, MaskView
from lmlab.finetuning.sets import Row
from lmlab.lm.tokens import Vocabulary, encode
from lmlab.prompts.parts import joined
from lmlab.prompts.templates import PromptTemplate

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
        place = f"Row {self.number} (‘{shown}’)"
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
    """

    train: Sequence[Example]
    valid: Sequence[Example] = ()
    probe: Sequence[Example] = ()
    template: PromptTemplate | None = None


def structured(
    vocabulary: Vocabulary,
    template: PromptTemplate | None,
    rows: Sequence[Row],
    config: FinetuneConfig,
    context: int,
    first: int = 1,
) -> Iterator[Example]:
    """Every row by F.

    Args:
        vocabulary: the model's.
        template: the wording; None takes the column ``text`` as it is.
        rows: with the template's columns.
        config: what carries loss, and the longest row.
        context: positions that the model can read.
        first: number of the first row.

    Raises:
        InputError: a row lacks a column, cannot be rendered, or makes no tokens.
    """
    limit = _limit(config, context)
    for low in range(0, len(rows), CHUNK):
        texts = _texts(template, rows[low : low + CHUNK])
        for number, (prompt, answer, truth) in enumerate(texts, first + low):
            yield _example(vocabulary, config, limit, prompt, answer, truth, number)


def _limit(config: FinetuneConfig, context: int) -> int:
    if config.max_length > context:
        raise InputError(
            f"Rows of {config.max_length:,} tokens are longer than the model reads.",
            f"Take at most {context:,}.",
        )
    return config.max_length or context


def _texts(
    template: PromptTemplate | None, rows: Sequence[Row]
) -> Iterator[tuple[str, str, str | None]]:
    """Prompt, answer and truth of each row."""
    if template is None:
        for row in rows:
            yield "", row.get(PLAIN, ""), None
        return
    instruction, pieces = template.pieces(rows)
    for row, piece in zip(rows, pieces, strict=True):
        prompt = joined(instruction, (), template.separator, piece)
        yield prompt.text, piece.target, row[template.answer]


def _example(
    vocabulary: Vocabulary,
    config: FinetuneConfig,
    limit: int,
    prompt: str,
    answer: str,
    truth: str | None,
    number: int,
) -> Example:
    try:
        encoded = encode(vocabulary, answer, prompt)
        end = vocabulary.tokenizer.eos_token_id if config.end_token else None
        ids = encoded.ids if end is None else (*encoded.ids, int(end))
        vocabulary.checked(ids)
    except InputError as error:
        raise InputError(f"Row {number}: {_lower(error.message)}", error.hint) from None
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


def checked(examples: Sequence[Example]) -> Sequence[Example]:
    """The same examples.

    Raises:
        InputError: one of them has no token that carries loss; names its row.
    """
    for example in examples:
        if example.error:
            raise InputError(
                example.error, "Shorten the row, or choose a model that reads more tokens."
            )
    return examples


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
        numbers = ", ".join(str(example.number) for example in cut[:WARNED])
        more = " and others" if len(cut) > WARNED else ""
        which = f"Row {numbers} is" if len(cut) == 1 else f"{len(cut):,} rows ({numbers}{more}) are"
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


def columns_of(template: PromptTemplate | None) -> tuple[str, ...]:
    """The columns that every row needs."""
    return (PLAIN,) if template is None else template.columns
