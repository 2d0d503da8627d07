"""The same design as a chat: a turn for every example, in the form of the model's tokenizer."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from lmlab.errors import InputError, ModelError
from lmlab.lm.tokens import Vocabulary
from lmlab.prompts.parts import Part, PartKind, Pieces, Prompt, joined
from lmlab.prompts.templates import PromptTemplate
from lmlab.results.forms import Form

Message = dict[str, str]

# A template with such a block says by itself which tokens the model is to learn.
_OWN_MASK = re.compile(r"\{%-?\s*generation\s*-?%\}")
_PROBE = "ANSWER"


def has_chat(vocabulary: Vocabulary) -> bool:
    """Whether the tokenizer comes with a chat template."""
    return bool(getattr(vocabulary.tokenizer, "chat_template", None))


def form_for(
    vocabulary: Vocabulary,
    template: PromptTemplate,
    asked: Form | None = None,
    learned: Form | None = None,
) -> Form:
    """The form that a model is asked in.

    Args:
        vocabulary: the model's.
        template: the wording, which may name a form.
        asked: what somebody wants; None leaves it open.
        learned: what the model was tuned in, where that is known.

    Raises:
        InputError: the chat form of a model without a chat template.
    """
    form = asked or learned or template.form
    if not form:
        return "chat" if has_chat(vocabulary) else "plain"
    check_form(vocabulary, form)
    return form


def check_form(vocabulary: Vocabulary, form: Form) -> None:
    """Refuse a form that the model does not have.

    Raises:
        InputError: the chat form of a model without a chat template.
    """
    if form == "chat" and not has_chat(vocabulary):
        raise InputError(
            "This model has no chat template, so that there is no chat form.",
            "Take the plain form, or a model that was tuned for chats.",
        )


def messages(instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Message]:
    """The turns: the instruction opens the first question, every target is an answer."""
    turns = []
    for example in examples:
        turns += _asked(example)
        turns.append({"role": "assistant", "content": example.target.strip()})
    turns += _asked(query)
    if instruction.strip():
        first = next((turn for turn in turns if turn["role"] == "user"), turns[0])
        first["content"] = f"{instruction.strip()}\n\n{first['content']}"
    return turns


def _asked(piece: Pieces) -> list[Message]:
    """The question of a row, or the chat that it holds, up to the answer."""
    if piece.turns:
        return [{"role": role, "content": content} for role, content in piece.turns]
    return [{"role": "user", "content": piece.query.strip()}]


def in_form(
    vocabulary: Vocabulary,
    form: Form,
    instruction: str,
    examples: Sequence[Pieces],
    separator: str,
    query: Pieces,
) -> Prompt:
    """The prompt in one form or the other.

    Raises:
        ModelError: the tokenizer's chat template fails on it.
    """
    if form == "chat":
        return as_chat(vocabulary, instruction, examples, query)
    return joined(instruction, examples, separator, query)


def as_chat(
    vocabulary: Vocabulary, instruction: str, examples: Sequence[Pieces], query: Pieces
) -> Prompt:
    """The prompt in the tokenizer's own chat form, up to where the model's turn begins.

    Raises:
        ModelError: the tokenizer's template fails on it.
    """
    text = rendered(vocabulary, messages(instruction, examples, query), opens=True)
    parts = _parts(text, instruction, examples, query)
    targets = {label: target.strip() for label, target in query.targets.items()}
    return Prompt(text, tuple(parts), query.target.strip(), targets, turn=True)


def rendered(vocabulary: Vocabulary, turns: Sequence[Message], *, opens: bool) -> str:
    """Turns by the tokenizer's template; ``opens`` adds what begins the model's turn.

    Raises:
        ModelError: the template fails on them.
    """
    text: str = _applied(vocabulary, turns, tokenize=False, add_generation_prompt=opens)
    return text


def own_mask(
    vocabulary: Vocabulary, turns: Sequence[Message]
) -> tuple[tuple[int, ...], tuple[bool, ...]] | None:
    """Ids of the turns, and which of them the template marks as the model's own.

    None where the template has no ``{% generation %}`` block, or marks nothing.

    Raises:
        ModelError: the template fails on them.
    """
    if not _OWN_MASK.search(str(vocabulary.tokenizer.get_chat_template())):
        return None
    found = _applied(
        vocabulary, turns, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    mask = tuple(bool(mark) for mark in found["assistant_masks"])
    return (tuple(found["input_ids"]), mask) if any(mask) else None


def turn_end(vocabulary: Vocabulary) -> str:
    """What ends the model's turn; empty where nothing does, or there is no chat template.

    White space at its ends is left out, and all after its first control token.

    Raises:
        ModelError: the template fails on two short turns.
    """
    if not has_chat(vocabulary):
        return ""
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": _PROBE}]
    tail = rendered(vocabulary, turns, opens=False).rpartition(_PROBE)[2]
    opened = rendered(vocabulary, turns[:1], opens=True)
    if opened == rendered(vocabulary, turns[:1], opens=False):
        # Such a template begins a turn of the model's after everything, which ends nothing.
        pairs = zip(reversed(tail), reversed(opened), strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        tail = tail[: len(tail) - shared]
    tail = tail.strip()
    known = [str(token) for token in vocabulary.tokenizer.added_tokens_decoder.values()]
    ends = [tail.find(token) + len(token) for token in known if token in tail]
    return tail[: min(ends)] if ends else tail


def stops_in(vocabulary: Vocabulary, form: Form, stop: Sequence[str]) -> tuple[str, ...]:
    """A template's stop strings and, in the chat form, what ends the model's turn."""
    end = turn_end(vocabulary) if form == "chat" else ""
    return tuple(dict.fromkeys([*stop, *([end] if end else [])]))


def _applied(vocabulary: Vocabulary, turns: Sequence[Message], **how: Any) -> Any:
    try:
        return vocabulary.tokenizer.apply_chat_template(list(turns), **how)
    except Exception as error:
        raise ModelError(
            f"The model’s chat template cannot be applied: {str(error)[:100]}.",
            "Use the plain form.",
        ) from error


def _parts(text: str, instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Part]:
    """Where each piece went, searched for in order; all else is the chat's own."""
    wanted: list[tuple[PartKind, str, int]] = [("instruction", instruction.strip(), -1)]
    for index, example in enumerate(examples):
        wanted += [("example", example.query.strip(), index)]
        wanted += [("example", example.target.strip(), index)]
    wanted.append(("query", query.query.strip(), -1))
    parts, at = [], 0
    for kind, piece, index in wanted:
        start = text.find(piece, at) if piece else -1
        if start < 0:
            continue
        if start > at:
            parts.append(Part("chat", at, start))
        at = start + len(piece)
        parts.append(Part(kind, start, at, index))
    if at < len(text):
        parts.append(Part("chat", at, len(text)))
    return parts
