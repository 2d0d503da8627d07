"""Questions with options of their own, made from the questions with short answers that ship.

python -m recipes.choices
"""

from random import Random

from recipes.config import ASSETS
from recipes.sets import SPLITS, Row
from recipes.textio import read_rows, write_rows, write_text

OPTIONS = 4
ROWS = {"train": 300, "valid": 60, "test": 120}
README = """# choice

Questions with four options each, one of them right. JSONL, one row a line: {counts}; no row is in \
two splits.

- `question`: asked in plain words
- `options`: a list of four answers to questions of the same kind
- `answer`: one of them

**Licence:** Apache-2.0

**Origin:** Made by `recipes/choices.py` from the set `qa` of this project, split by split.
"""


def kind(question: str) -> str:
    """What is asked for: the last sentence without its last word.

    >>> kind("Tim went home. Where is Tim?")
    'Where is'
    """
    return question.rstrip("?").split(". ")[-1].rsplit(" ", 1)[0].split(" of ")[0]


def choices(rows: list[Row], count: int, seed: int) -> list[dict[str, object]]:
    """``count`` of the rows with options: the answer, what the question itself names, others."""
    rng = Random(seed)
    known: dict[str, dict[str, None]] = {}
    for row in rows:
        known.setdefault(kind(row["question"]), {})[row["answer"]] = None
    found: list[dict[str, object]] = []
    for row in rng.sample(rows, len(rows)):
        others = [a for a in known[kind(row["question"])] if a != row["answer"]]
        if len(others) < OPTIONS - 1 or len(found) == count:
            continue
        others = rng.sample(others, len(others))
        others.sort(key=lambda answer: answer not in row["question"])
        options = [row["answer"], *others[: OPTIONS - 1]]
        rng.shuffle(options)
        found.append({"question": row["question"], "options": options, "answer": row["answer"]})
    return found


def main() -> None:
    """Writes ``assets/datasets/choice``."""
    source, target = ASSETS / "datasets" / "qa", ASSETS / "datasets" / "choice"
    counts = []
    for seed, split in enumerate(SPLITS):
        rows = choices(read_rows(source / f"{split}.jsonl"), ROWS[split], seed)
        write_rows(target / f"{split}.jsonl", rows)
        counts.append(f"{split} {len(rows):,}")
    write_text(target / "README.md", README.format(counts=", ".join(counts)))


if __name__ == "__main__":
    main()
