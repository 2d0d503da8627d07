"""Words for the tasks that generalise, read off the corpus: ``recipes/words/common.txt``.

    python -m recipes.commonwords [--work .work]

A noun follows an article and has its regular plural after a number or a quantity; a verb follows
"to" and has its regular past and -ing form. Words near a held-out one are left out.
"""

import argparse
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from recipes import heldout, words
from recipes.config import DEFAULT_WORK
from recipes.inflection import ing, regular_past, regular_plural
from recipes.textio import read_text, write_text

SOURCES, CHARACTERS = ("stories", "storybooks", "books_children", "books_easy"), 16_000_000
MANY = {"two", "three", "four", "many", "some", "these", "those", "few", "several", "all", "more"}
TOKEN = re.compile(r"[A-Za-z]+|[^\sA-Za-z]")
LEAST, MOST = 12, 6000
TARGET = Path(words.__file__).parent / "common.txt"
HEAD = "# word | n: a noun, v: a verb, with regular forms; made by recipes.commonwords\n"


def main() -> None:
    """Counts, chooses and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parts = parser.parse_args().work / "parts"
    found = chosen([read_text(parts / f"{name}.train.txt")[:CHARACTERS] for name in SOURCES])
    write_text(TARGET, HEAD + "".join(f"{word}|{kinds}\n" for word, kinds in found.items()))
    nouns, verbs = (sum(kind in kinds for kinds in found.values()) for kind in "nv")
    print(f"{len(found)} words, {nouns} nouns, {verbs} verbs")


def chosen(texts: list[str]) -> dict[str, str]:
    """The commonest words in alphabetical order, with their kinds."""
    single: Counter[str] = Counter()
    double: Counter[tuple[str, str]] = Counter()
    for text in texts:
        tokens = TOKEN.findall(text)
        single.update(tokens)
        double.update(pairwise(tokens))
    many: Counter[str] = Counter()
    for (before, after), count in double.items():
        if before.lower() in MANY:
            many[after] += count
    known = {w for w, *_ in (*words.nouns(), *words.verbs())}
    plain = [w for w, n in single.most_common() if n >= LEAST and 3 <= len(w) <= 10 and w.islower()]
    kept = [w for w in plain if w.isascii() and not near_held_out(w)][:MOST]
    return {
        w: ("n" if _noun(w, double, many) else "") + ("v" if _verb(w, single, double) else "")
        for w in sorted(kept)
        if w not in known
    }


def near_held_out(word: str) -> bool:
    """Whether it is a held-out word or looks like a form of one."""
    return any(word.startswith(held) or held.startswith(word + "s") for held in heldout.WORDS)


def _noun(word: str, double: Counter[tuple[str, str]], many: Counter[str]) -> bool:
    article = "an" if word[0] in "aeiou" else "a"
    return not word.endswith("s") and double[article, word] >= 6 and many[regular_plural(word)] >= 3


def _verb(word: str, single: Counter[str], double: Counter[tuple[str, str]]) -> bool:
    if word.endswith("ed") or double["to", word] < 8:
        return False
    return min(single[regular_past(word)], single[ing(word)]) >= 6


if __name__ == "__main__":
    main()
