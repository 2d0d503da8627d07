"""Stage 1: the documents of every part of the mixture, as text files in the work folder.

python -m recipes.corpus --data FOLDER [--hub DATASET]
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from recipes import headed, heldout, realdocs, taskdocs
from recipes.config import DEFAULT_WORK, HEADED, Mixture, Part, corpus_folder
from recipes.sentencetasks import SENTIMENT_LABELS, Pair, SentenceTask
from recipes.textio import read_documents, read_rows, write_documents
from recipes.typography import TYPESET, typeset

VALID_SEED_SHIFT = 10_000
VALID_MEGABYTES = 0.3
REAL = 0.07
"""Share of the task documents that come from real sets."""


def main() -> None:
    """Writes ``parts/<name>.train.txt`` and ``parts/<name>.valid.txt``."""
    options = _options()
    folder = corpus_folder(options.data)
    mixture = Mixture()
    for part in mixture.parts:
        if (options.work / "parts" / f"{part.name}.train.txt").exists():
            print(f"{part.name:16} is there")
            continue
        if part.name in mixture.task_docs:
            train, valid = task_documents(mixture, part, folder)
        elif part.name == HEADED:
            train, valid = headed_documents(folder, part, mixture.seed)
        elif options.hub and part.name == "stories":
            train, valid = split(hub_documents(options.hub, part.megabytes))
        else:
            train, valid = local_documents(folder, part, mixture.seed)
        target = options.work / "parts"
        write_documents(target / f"{part.name}.train.txt", train)
        write_documents(target / f"{part.name}.valid.txt", valid)
        size = sum(len(d) for d in train) / 1e6
        print(f"{part.name:16} {len(train):7} documents {size:6.1f} MB, {len(valid)} held out")


def local_documents(folder: Path, part: Part, seed: int) -> tuple[list[str], list[str]]:
    """Training and held-out documents of a text part, shuffled, up to its megabytes."""
    documents = read_documents(folder / "pretrain" / f"{part.name}.txt")
    if len(documents) == 1:
        documents = _pieces(documents[0])
    valid_file = folder / "pretrain" / f"{part.name}_valid.txt.xz"
    if valid_file.exists():
        train, valid = documents, read_documents(valid_file.with_suffix(""))
    else:
        train, valid = split(documents)
    Random(seed).shuffle(train)
    train = [_some_typeset(document) for document in _up_to(train, part.megabytes)]
    return train, list(_up_to(valid, VALID_MEGABYTES))


def headed_documents(folder: Path, part: Part, seed: int) -> tuple[list[str], list[str]]:
    """Stories under questions of stories and books, from the training side of both."""
    train, valid = local_documents(folder, replace(part, name="stories"), seed + 1)
    books = read_documents(folder / "pretrain" / "books_children.txt")[:400]
    asked = headed.questions([*train, *books])
    made = [list(headed.documents(some, asked, seed)) for some in (train, valid)]
    return made[0], made[1]


def _some_typeset(document: str) -> str:
    rng = Random(document)
    return typeset(document, rng) if rng.random() < TYPESET else document


def split(documents: Iterable[str]) -> tuple[list[str], list[str]]:
    """Training and held-out documents by the hash of the text."""
    train: list[str] = []
    valid: list[str] = []
    for document in documents:
        kept_out = heldout.split_of(document, valid=0.0, test=0.05) == "test"
        (valid if kept_out else train).append(document)
    return train, valid


def task_documents(mixture: Mixture, part: Part, folder: Path) -> tuple[list[str], list[str]]:
    """Generated documents and some from real sets: the held-out ones are other draws of the
    generated ones, in the seen formats."""
    form, real = mixture.task_docs[part.name], (real_sentiment(folder),)
    generated = (doc.text for doc in taskdocs.documents(mixture.seed, form, real))
    mixed = _mixed(generated, realdocs.documents(folder / "sets", mixture.seed), mixture.seed)
    train = list(_up_to(mixed, part.megabytes))
    others = taskdocs.documents(mixture.seed + VALID_SEED_SHIFT, form, real)
    known = set(train)
    return train, [d for d in _up_to((o.text for o in others), VALID_MEGABYTES) if d not in known]


def _mixed(generated: Iterator[str], real: Iterator[str], seed: int) -> Iterator[str]:
    rng = Random(seed)
    while True:
        yield next(real if rng.random() < REAL else generated)


def real_sentiment(folder: Path) -> SentenceTask:
    """Sentences of film reviews, those of the training split alone."""
    rows = read_rows(folder / "sets" / "sentence_polarity" / "all.jsonl")
    pool: list[Pair] = [
        (row["text"], row["label"])
        for row in rows
        if heldout.split_of(row["text"]) == "train" and len(row["text"]) < 140
    ]
    return SentenceTask(
        "sentiment-real",
        "Review",
        "Sentiment",
        ("Is the review positive or negative?",),
        lambda rng: rng.choice(pool),
        SENTIMENT_LABELS,
        4.0,
    )


def hub_documents(name: str, megabytes: float) -> list[str]:
    """Texts of a Hub data set with a ``text`` column; needs a network and ``datasets``."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise SystemExit("For --hub, install the library first: pip install datasets") from None
    stream = load_dataset(name, split="train", streaming=True)
    return list(_up_to((row["text"] for row in stream), megabytes))


def _up_to(documents: Iterable[str], megabytes: float) -> Iterator[str]:
    size = 0
    for document in documents:
        size += len(document.encode())
        if size > megabytes * 1e6:
            return
        yield document


def _pieces(text: str, size: int = 4000) -> list[str]:
    pieces = [""]
    for paragraph in text.split("\n\n"):
        if len(pieces[-1]) > size:
            pieces.append("")
        pieces[-1] += f"{paragraph}\n\n"
    return [piece.strip() for piece in pieces if piece.strip()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds pretrain/ and sets/")
    parser.add_argument("--hub", help="a Hub data set of texts instead of the local stories")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    return parser.parse_args()


if __name__ == "__main__":
    main()
