"""Receipts of completions: drawn again from the same seed, or only their likelihood."""

from lmlab.errors import InputError
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.receipts.script import script


def completion(done: Completion, drawn: GenerateConfig | None) -> str:
    """The completion's text and ln P(completion | prompt).

    Raises:
        InputError: there is no token yet.
    """
    if not done.steps:
        raise InputError("There is no completion yet.", "Press Run first.")
    return script("receipts/completion", [done.model], done=done, drawn=drawn)
