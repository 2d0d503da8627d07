"""A model's own chat form: turns as its tokenizer's template writes them.

The template came with a model and is rendered where strangers' templates are.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from lmlab.errors import InputError, ModelError
from lmlab.models.tokens import Vocabulary
from lmlab.rendering import Chat, Renderer

Message = dict[str, str]
Marked = tuple[tuple[int, ...], tuple[bool, ...]]

TEMPLATE = "chat_template.jinja"
AT_ONCE = 200  # chats that are rendered within one limit of time
_PROBE = "ANSWER"


def has_chat(vocabulary: Vocabulary) -> bool:
    """Whether the tokenizer comes with a chat template."""
    return bool(getattr(vocabulary.tokenizer, "chat_template", None))


def question(vocabulary: Vocabulary, text: str) -> str:
    """A text as the question of a chat, up to where the model's answer begins.

    Raises:
        InputError: there is no question.
        ModelError: there is no template, or it fails, or it leaves the question out.
    """
    if not text.strip():
        raise InputError("A chat begins with a question.", "Type one as the prompt or prefix.")
    if not has_chat(vocabulary):
        raise ModelError(
            "This model's tokenizer has no chat template.", "Ask without the chat form."
        )
    asked, other = rendered(vocabulary, [[{"role": "user", "content": c}] for c in (text, "?!")])
    if asked == other and text.strip() != "?!":
        raise ModelError(
            f"The model’s chat template ({_file(vocabulary)}) leaves the question out.",
            "Ask in the plain form, or mend that file.",
        )
    return asked


def rendered(
    vocabulary: Vocabulary, chats: Sequence[Sequence[Message]], *, opens: bool = True
) -> list[str]:
    """Each chat's turns in the tokenizer's form; ``opens`` adds what begins the model's turn.

    Raises:
        ModelError: the template fails on them, takes too long, or gives nothing; names the file.
    """
    return [text for text, _ in _chats(vocabulary, chats, opens)]


def own_masks(
    vocabulary: Vocabulary, chats: Sequence[Sequence[Message]]
) -> Iterator[Marked | None]:
    """Of each chat its ids, and which of them the template marks as the model's own.

    None where the template has no ``{% generation %}`` block, or marks nothing.

    Raises:
        ModelError: the template fails on them.
    """
    for text, spans in _chats(vocabulary, chats, False):
        batch = vocabulary.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        mask = tuple(
            any(low < end and start < high for low, high in spans)
            for start, end in batch["offset_mapping"]
        )
        yield (tuple(batch["input_ids"]), mask) if any(mask) else None


def turn_end(vocabulary: Vocabulary) -> str:
    """What ends the model's turn; empty where nothing does, or there is no chat template.

    White space at its ends is left out, and all after its first control token.

    Raises:
        ModelError: the template fails on two short turns.
    """
    if not has_chat(vocabulary):
        return ""
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": _PROBE}]
    whole, asked = rendered(vocabulary, [turns, turns[:1]], opens=False)
    tail = whole.rpartition(_PROBE)[2]
    opened = rendered(vocabulary, [turns[:1]])[0]
    if opened == asked:
        # Such a template begins a turn of the model's after everything, which ends nothing.
        pairs = zip(reversed(tail), reversed(opened), strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        tail = tail[: len(tail) - shared]
    tail = tail.strip()
    known = [str(token) for token in vocabulary.tokenizer.added_tokens_decoder.values()]
    ends = [tail.find(token) + len(token) for token in known if token in tail]
    return tail[: min(ends)] if ends else tail


def is_formed(vocabulary: Vocabulary, prompt: str) -> bool:
    """Whether a prompt already has the marks of the tokenizer's chat form."""
    try:
        marks = set(vocabulary.ids(question(vocabulary, "a"))) & set(
            vocabulary.tokenizer.added_tokens_decoder
        )
    except ModelError:
        return False
    return bool(marks.intersection(vocabulary.ids(prompt)))


def _chats(
    vocabulary: Vocabulary, chats: Sequence[Sequence[Message]], opens: bool
) -> Iterator[Chat]:
    try:
        form = vocabulary.tokenizer.get_chat_template()
        special = vocabulary.tokenizer.special_tokens_map.items()
        names = json.dumps({name: _plain(token) for name, token in special})
        for low in range(0, len(chats), AT_ONCE):
            yield from _rendered(form, json.dumps(chats[low : low + AT_ONCE]), names, opens)
    except Exception as error:
        said = error.message if isinstance(error, InputError) else str(error)
        raise ModelError(
            f"The model’s chat template ({_file(vocabulary)}) cannot be applied: "
            f"{said[:200].rstrip('.')}.",
            "Ask in the plain form, or mend that file.",
        ) from error


@lru_cache(maxsize=32)
def _rendered(form: str, chats: str, names: str, opens: bool) -> list[Chat]:
    """The same few short turns are asked for again and again, and each asking is a process."""
    found = Renderer().chats(form, json.loads(chats), json.loads(names), opens=opens)
    if not all(text.strip() for text, _ in found):
        raise InputError("it gives nothing")
    return found


def _plain(token: Any) -> Any:
    """A special token as text, or several of them."""
    return [str(one) for one in token] if isinstance(token, list | tuple) else str(token)


def _file(vocabulary: Vocabulary) -> str:
    folder = Path(str(vocabulary.tokenizer.name_or_path or "."))
    return TEMPLATE if (folder / TEMPLATE).is_file() else "in tokenizer_config.json"
