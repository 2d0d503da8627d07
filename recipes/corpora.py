"""The texts that ship to train a model from nothing on: small, and unseen by the embedded base.

python -m recipes.corpora --pretrain FOLDER
"""

import argparse
from pathlib import Path
from random import Random

from recipes.config import ASSETS
from recipes.probes import KINDS, general
from recipes.textio import SEPARATOR, read_documents, read_text, write_documents, write_text

STORIES, PLAYS = 500_000, 400_000  # characters
README = f"""# pretraining

Texts to train a small model from nothing on. Plain UTF-8; a line `{SEPARATOR}` after each document.

- `stories.txt`: TinyStories (Ronen Eldan and Yuanzhi Li, 2023), short synthetic children's stories
  in simple English: documents of a part that the embedded models were not trained on, without those
  in `../../datasets/probes`. Licence: CDLA-Sharing-1.0 (https://cdla.dev/sharing-1-0/); this file
  is shared under the same agreement. Changes: chosen by chance, typography in ASCII.
- `plays.txt`: the first {PLAYS // 1000} kB of the tinyshakespeare collection of William
  Shakespeare's plays, a scene or so a document. Public domain. The embedded models were trained on
  some of it (1 % of their training text), so their loss on it flatters them.

Made by `python -m recipes.corpora`.
"""


def main() -> None:
    """Writes both texts and says how long they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pretrain", type=Path, required=True)
    source = parser.parse_args().pretrain
    folder = ASSETS / "corpora" / "pretraining"
    for name, documents in (("stories", stories(source)), ("plays", plays(source))):
        write_documents(folder / f"{name}.txt", documents)
        print(f"{name}: {len(documents):,} documents, {sum(map(len, documents)):,} characters")
    write_text(folder / "README.md", README)


def stories(source: Path) -> list[str]:
    """Held-out stories, without those that are general texts already."""
    taken = {row["text"] for row in general(source) if row["kind"] == "stories"}
    documents = read_documents(source / KINDS["stories"][0])
    left = [d.strip() for d in documents if not any(d.strip().startswith(t) for t in taken)]
    Random(7).shuffle(left)
    return _first(left, STORIES)


def plays(source: Path) -> list[str]:
    """Speeches in order, some twenty together as one document."""
    speeches = [part.strip() for part in read_text(source / "tinyshakespeare.txt").split("\n\n")]
    documents = ["\n\n".join(speeches[i : i + 20]) for i in range(0, len(speeches), 20)]
    return _first(documents, PLAYS)


def _first(documents: list[str], size: int) -> list[str]:
    chosen: list[str] = []
    for document in documents:
        if sum(map(len, chosen)) + len(document) > size:
            break
        chosen.append(document)
    return chosen


if __name__ == "__main__":
    main()
