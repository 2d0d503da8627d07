"""A model's own chat form: turns as its tokenizer's template writes them."""

from collections.abc import Sequence
from pathlib import Path

from lmlab.errors import InputError, ModelError
from lmlab.lm.tokens import Vocabulary

Message = dict[str, str]

TEMPLATE = "chat_template.jinja"


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
    asked, other = (rendered(vocabulary, [{"role": "user", "content": c}]) for c in (text, "?!"))
    if asked == other and text.strip() != "?!":
        raise ModelError(
            f"The model’s chat template ({_file(vocabulary)}) leaves the question out.",
            "Ask in the plain form, or mend that file.",
        )
    return asked


def rendered(vocabulary: Vocabulary, turns: Sequence[Message]) -> str:
    """Turns in the tokenizer's chat form, up to where the model's own turn begins.

    Raises:
        ModelError: the template fails on them, or gives nothing; names the file.
    """
    try:
        text = vocabulary.tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=True
        )
    except Exception as error:
        raise ModelError(
            f"The model’s chat template ({_file(vocabulary)}) cannot be applied: "
            f"{str(error)[:100]}.",
            "Ask in the plain form, or mend that file.",
        ) from error
    if not str(text).strip():
        raise ModelError(
            f"The model’s chat template ({_file(vocabulary)}) gives nothing.",
            "Ask in the plain form, or mend that file.",
        )
    return str(text)


def is_formed(vocabulary: Vocabulary, prompt: str) -> bool:
    """Whether a prompt already has the marks of the tokenizer's chat form."""
    try:
        marks = set(vocabulary.ids(question(vocabulary, "a"))) & set(
            vocabulary.tokenizer.added_tokens_decoder
        )
    except ModelError:
        return False
    return bool(marks.intersection(vocabulary.ids(prompt)))


def _file(vocabulary: Vocabulary) -> str:
    folder = Path(str(vocabulary.tokenizer.name_or_path or "."))
    return TEMPLATE if (folder / TEMPLATE).is_file() else "in tokenizer_config.json"
