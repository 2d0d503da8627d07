"""Training documents from real sets: questions about tales, and instructions with their answers.

Only rows of the training split; what is asked is shown, and the loss is on the answers.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from recipes import heldout
from recipes.taskdocs import SHOWN
from recipes.textio import read_rows

SECTION, ANSWER, OUTPUT = 900, 60, 400
LABELS = (
    ("Question: ", "Answer: "),
    ("Q: ", "A: "),
    ("", ""),
    ("Question: ", "Reply: "),
    ("— ", "— "),
)


def documents(sets: Path, seed: int) -> Iterator[str]:
    """Tales and instructions without end, all of them before any comes again."""
    rng = Random(seed)
    while True:
        some = [*tales(sets, rng), *instructions(sets, rng)]
        rng.shuffle(some)
        yield from some


def tales(sets: Path, rng: Random) -> Iterator[str]:
    """A section of a tale with the questions about it."""
    asked: dict[str, list[tuple[str, str]]] = {}
    for row in read_rows(sets / "fairytaleqa" / "train.jsonl"):
        section, answer = " ".join(row["section"].split()), row["answer"].strip()
        if len(section) < SECTION and len(answer) < ANSWER and heldout.split_of(section) == "train":
            asked.setdefault(section, []).append((row["question"].strip(), answer))
    for section, pairs in asked.items():
        question, answer = rng.choice(LABELS)
        turns = [f"{question}{x}\n{answer}" for x, _ in pairs]
        first = f"{section}\n{turns[0]}".rstrip()
        text = section + "".join(f"\n{t}{y}" for t, (_, y) in zip(turns, pairs, strict=True))
        yield text[: len(first)] + SHOWN + text[len(first) :]


def instructions(sets: Path, rng: Random) -> Iterator[str]:
    """An instruction in plain words, what it is about, and the answer."""
    for row in read_rows(sets / "instructions" / "rasbt_1100.jsonl"):
        told, given = row["instruction"].strip(), row["input"].strip()
        if heldout.split_of(told) != "train" or len(row["output"]) > OUTPUT:
            continue
        asked = f"{told}{rng.choice((' ', chr(10)))}{given}" if given else told
        yield f"{asked}{SHOWN}\n{row['output'].strip()}"
