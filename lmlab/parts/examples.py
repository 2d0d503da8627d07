"""Texts that work with one click."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A chip: its name, the text, and what the text is conditioned on."""

    name: str
    text: str
    prefix: str = ""


STORY = (
    "Once upon a time there was a little dog who lived in a small house by the river. "
    "Every morning he ran to the water and looked for his friend the duck. One day the duck was "
    "not there, and the little dog was very sad."
)
SHUFFLED = " ".join(random.Random(0).sample(STORY.split(), len(STORY.split())))
CODE = """\
def mean(values):
    total = 0
    for value in values:
        total = total + value
    return total / len(values)
"""
EXAMPLES = (
    Example("A story", STORY),
    Example("Its words shuffled", SHUFFLED),
    Example("One odd word", STORY.replace("a small house", "a small parliament")),
    Example(
        "Another language",
        "Es war einmal ein kleiner Hund, der wohnte in einem kleinen Haus am Fluss. Jeden Morgen "
        "lief er zum Wasser und suchte seine Freundin, die Ente.",
    ),
    Example("Code", CODE),
    Example(
        "With a prefix",
        "He opened the door and saw a bear.",
        "The little boy heard a noise in the night.",
    ),
)
