"""Comparisons that work with one click, chosen from the models that are there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lmlab.parts.examples import STORY

COLUMNS = 4


@dataclass(frozen=True, slots=True)
class ModelPair:
    """A prompt for several models, and two texts to compare the first two on."""

    name: str  # of the chip
    prompt: str  # what each model completes
    models: tuple[str, ...]  # those wanted after the base, most wanted first
    task: str  # a text of the kind that tuning was for
    general: str = STORY  # a text of another kind, on which forgetting shows
    least: int = 1  # how many of the models have to be there


ASKED = "<|question|>What is the comparative of hard?<|answer|>"
PLAY = "KING EDWARD IV:\nA pleasing cordial, princely Buckingham,\nis this thy vow unto my heart."
KNOWN = (
    ModelPair("A question", ASKED, ("base+qa", "qa", "base+qa-prompt"), f"{ASKED}harder"),
    ModelPair("A story start", "Once upon a time there was a king", ("base+verse",), PLAY),
    ModelPair(
        "A review",
        "Review: a warm, funny and engaging film\nSentiment:",
        ("base+sentiment",),
        "Review: a warm, funny and engaging film\nSentiment: positive",
    ),
    ModelPair(
        "Into German",
        "English: she sees a book\nGerman:",
        ("base+german",),
        "English: she sees a book\nGerman: sie sieht ein Buch",
    ),
    ModelPair("Sizes", "Once upon a time there was a little", ("small", "tiny"), STORY, PLAY),
)
ANY = ModelPair("Two models", "Once upon a time there was a little", (), STORY, PLAY)


def pairs(names: Sequence[str], first: str) -> list[ModelPair]:
    """The comparisons whose models are there, each with ``first`` in the first column.

    Never empty: where nothing tuned is there, any other model is taken, or the first one twice.
    """
    found = []
    for pair in KNOWN:
        there = [name for name in pair.models if name in names and name != first]
        if len(there) >= pair.least:
            found.append(replace(pair, models=(first, *there)[:COLUMNS]))
    other = next((name for name in names if name != first), first)
    return found or [replace(ANY, models=(first, other))]
