"""A row as text, in the plain form or as a chat, and as ids with the border of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

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
class Cut:
    """A row as ids, before it is cut at the longest length."""

    ids: tuple[int, ...]  # what is put in front, prompt, answer, end
    lead: int  # how many ids were put in front
    answer_from: int  # the first id of the answer
    ended: bool  # whether an end stands after the answer
    prompt: str  # the text before the answer
    answer: str  # the text of the answer
    # which ids carry loss by the chat template's own mask; empty where it has none
    own: tuple[bool, ...] = field(default=())


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


def cut(vocabulary: Vocabulary, row: Written, config: FinetuneConfig, end: int | None) -> Cut:
    """A row as ids.

    Args:
        vocabulary: the model's.
        row: as text.
        config: the form, and whether an end follows the answer.
        end: the token that follows an answer which has no tail; None for none.

    Raises:
        InputError: it makes no tokens.
    """
    tail = row.tail if config.end_token else ""
    encoded = encode(vocabulary, row.prompt.target + tail, row.prompt.text, given=row.prompt.turn)
    if row.own is not None:
        return _marked(vocabulary, row, encoded.lead, encoded.prefix)
    closes = config.end_token and not tail and end is not None
    ids = (*encoded.ids, end) if closes and end is not None else encoded.ids
    answer = encoded.text.removesuffix(tail) if tail else encoded.text
    lead, ended = len(encoded.lead), closes or bool(tail)
    return Cut(ids, lead, encoded.n_context, ended, encoded.prefix, answer)


def _marked(vocabulary: Vocabulary, row: Written, lead: Sequence[int], prefix: str) -> Cut:
    """By the template's own mask; what comes after the last id that carries loss is left out."""
    assert row.own is not None
    ids, mask = row.own
    last = len(mask) - mask[::-1].index(True)
    own = (*(False for _ in lead), *mask[:last])
    ended = bool(row.tail) and vocabulary.text(ids[last - 1]) == row.tail
    return Cut(
        (*lead, *ids[:last]), len(lead), _answer_of(own), ended, prefix, row.prompt.target, own
    )
