"""A row as text, in the plain form or as a chat, and as ids with the border of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lmlab.errors import InputError
from lmlab.models import controls
from lmlab.models.chat import Marked, own_masks, turn_end
from lmlab.models.tokens import Vocabulary, encode
from lmlab.text.chat import as_chats, check_form, messages
from lmlab.text.parts import Pieces, Prompt, joined
from lmlab.text.records import Row
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig
from lmlab.training.sets import PLAIN

SHOWN = 40  # characters of a row that are shown with its number


@dataclass(frozen=True)
class Written:
    """A row as text."""

    prompt: Prompt  # what the model is given, with the answer as its target
    truth: str | None  # what the row gives as the answer; None without a template
    tail: str = ""  # what a chat template puts after the answer; empty in the plain form
    # ids of the whole and the chat template's own mask; None where it has none
    own: Marked | None = None
    control: str = ""  # a control token that stands in the row's own cells; empty for none


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


def written(
    vocabulary: Vocabulary,
    template: PromptTemplate | None,
    rows: Sequence[Row],
    config: FinetuneConfig,
    first: int = 1,
) -> Iterator[Written]:
    """Each row as text in the config's form; ``first`` is the number of the first.

    Raises:
        InputError: a cell that cannot be rendered, or the chat form of a model that has none.
        ModelError: the chat template fails on a row.
    """
    control = controls.finder(vocabulary)
    if template is None:
        if config.form == "chat":
            raise InputError(
                "Plain text has no turns, so that there is no chat form of it.",
                "Choose a wording, or the plain form.",
            )
        for row in rows:
            text = row.get(PLAIN, "")
            yield Written(Prompt("", (), text), None, control=control([text]))
        return
    check_form(vocabulary, config.form)
    instruction, pieces = template.pieces(rows, first)
    typed = [control(row.get(column, "") for column in template.columns) for row in rows]
    truths = [row[template.answer] for row in rows]
    if config.form == "chat":
        made = _turns(vocabulary, instruction, pieces)
    else:
        plain = [joined(instruction, (), template.separator, piece) for piece in pieces]
        made = [Written(prompt, None) for prompt in plain]
    for one, truth, sign in zip(made, truths, typed, strict=True):
        yield replace(one, truth=truth, control=sign)


def _turns(vocabulary: Vocabulary, instruction: str, pieces: Sequence[Pieces]) -> list[Written]:
    """The prompts that are asked, the answers, and what ends the model's turn.

    The whole is never taken as the template writes it: where a turn that is asked opens with more
    than one that is answered (a thought, for instance), what is learned is what will be asked.
    """
    prompts, tail = as_chats(vocabulary, instruction, (), pieces), turn_end(vocabulary)
    wholes = [
        [*messages(instruction, (), piece), {"role": "assistant", "content": prompt.target}]
        for piece, prompt in zip(pieces, prompts, strict=True)
    ]
    marked = zip(prompts, own_masks(vocabulary, wholes), strict=True)
    return [
        Written(prompt, None, tail, own if own and _begins(vocabulary, own, prompt.text) else None)
        for prompt, own in marked
    ]


def _begins(vocabulary: Vocabulary, own: Marked, prompt: str) -> bool:
    """Whether the whole begins with the prompt that is asked."""
    ids, mask = own
    given, first = vocabulary.ids(prompt), _answer_of(mask)
    return first <= len(given) and ids[:first] == tuple(given[:first])


def _answer_of(mask: Sequence[bool]) -> int:
    """Where the last of a mask's stretches begins: earlier turns may carry loss as well."""
    last = len(mask) - 1 - mask[::-1].index(True)
    return next((at + 1 for at in range(last, -1, -1) if not mask[at]), 0)


def cut(
    vocabulary: Vocabulary,
    row: Written,
    config: FinetuneConfig,
    end: int | None,
    limit: int,
    number: int,
    place: str,
) -> Example:
    """A row as ids, ``limit`` of them; ``end`` is the token that follows an answer which has no
    tail. Raises InputError: it makes no tokens, or some that the model does not know.
    """
    tail, whole = row.tail if config.end_token else "", config.loss_on == "all"
    encoded = encode(vocabulary, row.prompt.target + tail, row.prompt.text, given=row.prompt.turn)
    ids, own, answer_from = encoded.ids, tuple[bool, ...](), encoded.n_context
    ended = bool(tail)
    answer = encoded.text.removesuffix(tail)
    if row.own is not None:
        # By the template's own mask; what comes after the last id that carries loss is left out.
        ids, mask = row.own
        last = len(mask) - mask[::-1].index(True)
        ended = bool(row.tail) and vocabulary.text(ids[last - 1]) == row.tail
        own = (*(False for _ in encoded.lead), *mask[:last])
        ids, answer_from = (*encoded.lead, *ids[:last]), _answer_of(own)
        answer = row.prompt.target
    elif config.end_token and not tail and end is not None:
        ids, ended = (*ids, end), True
    vocabulary.checked(ids)
    return Example(
        ids=ids[:limit],
        # Nothing comes before the first token, so that it cannot be predicted.
        loss_from=1 if whole or own else max(1, answer_from),
        answer_from=answer_from,
        lead=len(encoded.lead),
        ended=ended and len(ids) <= limit,
        lost=max(0, len(ids) - max(limit, answer_from)),
        prompt=encoded.prefix,
        answer=answer,
        truth=row.truth,
        number=number,
        place=place,
        own=() if whole else own[:limit],
        asked=row.prompt if row.truth is not None else None,
        control=row.control,
    )
