"""What is tuned, on which set, in which form: the structuring function F of each task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from recipes.sets import Row
from recipes.tokenizer import ANSWER, QUESTION

Method = Literal["full", "lora", "prompt"]
Structure = Callable[[Row], tuple[str, str]]


def ask(row: Row) -> tuple[str, str]:
    """start, question, delimiter | answer; the end token follows."""
    return f"{QUESTION}{row['question']}{ANSWER}", row["answer"]


def review(row: Row) -> tuple[str, str]:
    """A sentence of a review | its sentiment."""
    return f"Review: {row['text']}\nSentiment:", f" {row['label']}"


def meaning(row: Row) -> tuple[str, str]:
    """Two sentences | whether they mean the same."""
    return f"Sentences: {row['text']}\nMeaning:", f" {row['label']}"


def translate(row: Row) -> tuple[str, str]:
    """English | German."""
    return f"English: {row['english']}\nGerman:", f" {row['german']}"


def told(row: Row) -> tuple[str, str]:
    """What to do, and with what | what to write."""
    return f"Instruction: {row['instruction']}\nAnswer:", f" {row['answer']}"


def continued(row: Row) -> tuple[str, str]:
    """Nothing | the whole text."""
    return "", row["text"]


@dataclass(frozen=True)
class Tuning:
    """One tuned variant.

    Attributes:
        name: its folder below assets/models.
        data: the set it learns from.
        structure: a row as prompt and answer; the loss is on the answer and the end token.
        method: full fine-tuning, LoRA, or prompt tuning.
        about: one line for its card.
        lr: highest learning rate.
        epochs: how often it reads the training split.
        batch: rows a step.
        rank: of LoRA, the lecture's ℓ; alpha is twice that.
        length: of a soft prompt, in tokens.
    """

    name: str
    data: str
    structure: Structure
    method: Method
    about: str
    lr: float
    epochs: int
    batch: int = 16
    rank: int = 8
    length: int = 16


TUNINGS: tuple[Tuning, ...] = (
    Tuning("qa", "qa", ask, "full", "answers questions, after full fine-tuning", 2.5e-4, 4),
    Tuning("adapters/qa", "qa", ask, "lora", "answers questions", 3e-3, 4),
    Tuning("adapters/qa-prompt", "qa", ask, "prompt", "answers questions", 3e-2, 4, length=20),
    Tuning(
        "adapters/sentiment", "sentiment", review, "lora", "tells a review's sentiment", 1e-3, 3
    ),
    Tuning(
        "adapters/similarity",
        "similarity",
        meaning,
        "lora",
        "tells if two sentences agree",
        2e-3,
        5,
    ),
    Tuning("adapters/instructions", "instructions", told, "lora", "does what it is told", 2e-3, 4),
    Tuning("adapters/german", "german", translate, "lora", "translates English to German", 2e-3, 5),
    Tuning("adapters/verse", "verse", continued, "lora", "writes plays in verse", 2e-3, 5, 8, 16),
)
