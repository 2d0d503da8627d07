"""Duplicates: exact ones by hash, near ones by MinHash and locality-sensitive hashing.

Broder 1997 (MinHash); candidates come from ``datasketch``, and the similarity of each is then
counted exactly: the Jaccard index of the two sets of shingles.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.features.data.findings import Duplicate

if TYPE_CHECKING:
    from datasketch import MinHash

SHINGLE = 5  # characters: works in every language, also in those that put no spaces
PERMUTATIONS = 128
# What lies near the threshold is missed now and then; candidates are taken from further down.
MARGIN = 0.15
MOST_COMPARED = 40  # earlier documents that one document is compared with
LOWEST, HIGHEST = 0.3, 1.0


def plain(text: str) -> str:
    """What duplicates are the same in: letters without case, and single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def shingles(text: str, size: int = SHINGLE) -> frozenset[str]:
    """All stretches of ``size`` characters of a plain text; of a shorter one, the text itself.

    >>> sorted(shingles("abcdef"))
    ['abcde', 'bcdef']
    """
    return frozenset(text[i : i + size] for i in range(max(1, len(text) - size + 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """|A ∩ B| / |A ∪ B|; 1 of two empty sets.

    >>> jaccard(frozenset("abc"), frozenset("bcd"))
    0.5
    """
    both = len(first & second)
    union = len(first) + len(second) - both
    return both / union if union else 1.0


def iter_twins(texts: Sequence[str], threshold: float) -> Iterator[Duplicate | None]:
    """For each text, in order, the earlier one that it repeats, or None.

    An exact duplicate points at the first such text; a near one at the most similar earlier text,
    itself no exact duplicate, with a similarity of at least ``threshold``.

    Raises:
        InputError: the threshold is out of range.
    """
    if not LOWEST <= threshold <= HIGHEST:
        raise InputError(f"The similarity of near duplicates is from {LOWEST} to {HIGHEST}.")
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=max(0.1, threshold - MARGIN), num_perm=PERMUTATIONS)
    seen: dict[bytes, int] = {}
    sets: dict[int, frozenset[str]] = {}
    hashes: dict[int, MinHash] = {}
    for i, text in enumerate(texts):
        same = plain(text)
        digest = hashlib.sha256(same.encode()).digest()
        if digest in seen:
            yield Duplicate(seen[digest], i, 1.0, exact=True)
            continue
        seen[digest] = i
        sets[i] = shingles(same)
        hashes[i] = MinHash(num_perm=PERMUTATIONS)
        hashes[i].update_batch([piece.encode() for piece in sets[i]])
        yield _nearest(i, index.query(hashes[i]), sets, hashes, threshold)
        index.insert(i, hashes[i])


def _nearest(
    place: int,
    candidates: Sequence[int],
    sets: dict[int, frozenset[str]],
    hashes: "dict[int, MinHash]",
    threshold: float,
) -> Duplicate | None:
    """The most similar candidate, compared exactly; of many candidates the likeliest ones only."""
    likely = sorted(candidates, key=lambda j: (-hashes[place].jaccard(hashes[j]), j))
    found = [(jaccard(sets[place], sets[j]), -j) for j in likely[:MOST_COMPARED]]
    if not found or max(found)[0] < threshold:
        return None
    similarity, first = max(found)
    return Duplicate(-first, place, similarity, exact=False)
