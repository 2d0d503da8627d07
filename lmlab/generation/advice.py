"""What makes a completion worse than the model is, for reasons that can be told beforehand."""

from lmlab.generation.completions import Advice, Given
from lmlab.models.chat import has_chat, is_formed, question
from lmlab.models.model import LM
from lmlab.models.tokens import BosSetting, Vocabulary, check_unicode, encode_prompt

SPACE = (
    "The prompt ends in white space, which this model's tokenizer keeps together with the word "
    "after it: the model has hardly seen a word begin like this, and completes worse."
)
CHAT = (
    "The tokenizer of this model has a chat template, and the prompt is given without it: a model "
    "that was tuned on chats may answer oddly, or not at all. Ask in the chat form."
)


def given(lm: LM, prompt: str, *, chat: bool = False, bos: BosSetting = "tokenizer") -> Given:
    """A prompt as the model gets it, and what is to be said of it.

    Raises:
        InputError: the prompt is not valid Unicode, or no question where one is meant, or there is
            nothing to start from.
        ModelError: the model has no chat template, or one that cannot be used.
    """
    check_unicode(prompt)
    if chat:
        form = question(lm.vocabulary, prompt)
        return Given(form, (), _start(lm.vocabulary, form, bos), tuple(lm.notes))
    found = []
    if trailing_space(lm.vocabulary, prompt):
        found.append(Advice("space", SPACE))
    if has_chat(lm.vocabulary) and not is_formed(lm.vocabulary, prompt):
        found.append(Advice("chat", CHAT))
    return Given(prompt, tuple(found), _start(lm.vocabulary, prompt, bos), tuple(lm.notes))


def _start(vocabulary: Vocabulary, prompt: str, bos: BosSetting) -> tuple[str, ...]:
    ids = encode_prompt(vocabulary, prompt, bos)
    return tuple(map(vocabulary.text, ids[: len(ids) - len(vocabulary.ids(prompt))]))


def trailing_space(vocabulary: Vocabulary, prompt: str) -> str:
    """White space at the end of a prompt that the tokenizer would give to a word after it."""
    bare = prompt.rstrip()
    if bare in ("", prompt):
        return ""
    ids = vocabulary.ids(prompt)
    kept = all(vocabulary.ids(prompt + word)[: len(ids)] == ids for word in ("a", "the"))
    return "" if kept else prompt[len(bare) :]
