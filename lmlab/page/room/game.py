"""The room as a language model: phones guess the next word of a text, and so do a unigram and the
models. Each has its perplexity by the lecture's formula, over the words that were revealed.

A word is what stands between white space, without marks at its ends and in small letters. A
model's probability of one is the product of those of its tokens. The room's is the share of phones
that said it, with one phone more in the count that votes as the unigram does: so no word has none.
"""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.scoring.scored import Scored

MODELS = ("tiny", "base")
WORDS = (4, 60)  # of a text, fewest and most
GIVEN = 3  # words that are there at the beginning
LONGEST = 40  # characters of a word
SHOWN = 8  # guesses that are shown, the most frequent ones
MARKS = string.punctuation + "…“”„‘’‚«»¿¡–—"
RULE = (
    "p of the room = (phones that said the word + u) / (all that answered + 1), u the word’s "
    "unigram share: a word that nobody said has what frequency alone gives it. A model’s p is the "
    "product over the word’s tokens. PP = exp(−mean ln p) over the words so far."
)


def normal(word: str) -> str:
    """A word as it is counted.

    >>> normal(" “Dog!” "), normal("don't")
    ('dog', "don't")
    """
    return unicodedata.normalize("NFKC", word).casefold().strip().strip(MARKS)


def guessed(value: object) -> str:
    """A guess as it is counted.

    Raises:
        InputError: it is no single word.
    """
    word = normal(value) if isinstance(value, str) else ""
    if not word or len(word) > LONGEST or re.search(r"[\s\x00-\x1f]", word):
        raise InputError("That is no single word.", "Write the one word that comes next.")
    return word


def prepared(lab: Lab, text: str) -> dict[str, Any]:
    """A text, and what the unigram and each model at hand make of all of its words.

    Returns:
        ``words`` as they stand there; ``bare``, as they are counted; ``ends``, where each ends;
        ``text``; ``guessers``, each with its ``name``, and for each word ``logprobs`` (nats) and
        ``tops``, what it would rather have seen: [(text, probability), …].

    Raises:
        InputError: too few words, too many, or one without letters.
    """
    text = " ".join(text.split())
    places = [found.span() for found in re.finditer(r"\S+", text)]
    words = [text[slice(*place)] for place in places]
    low, high = WORDS
    if not low <= len(words) <= high or not all(map(normal, words)):
        raise InputError(
            f"The text has from {low} to {high} words, each with a letter.", "Write another."
        )
    names = dict.fromkeys(one for one in (*MODELS, lab.settings.model) if one in lab.model_names())
    guessers = [_unigram(words)]
    for name in names:
        (scored,) = (one for one in lab.score(name, text, top_k=5) if isinstance(one, Scored))
        guessers.append({"name": name, **_of(scored, places)})
    bare, ends = [*map(normal, words)], [end for _, end in places]
    return {"text": text, "words": words, "bare": bare, "ends": ends, "guessers": guessers}


def _of(scored: Scored, places: Sequence[tuple[int, int]]) -> dict[str, Any]:
    logprobs, tops, before = [], [], 0
    for place, (start, end) in enumerate(places):
        last = start + len(scored.text[start:end].rstrip(MARKS))
        # White space in front belongs to the word, marks behind it do not.
        mine = [one for one in scored.tokens if before <= one.start < last]
        known = [one.logprob for one in mine if one.logprob is not None]
        if place >= GIVEN and (not known or len(known) != len(mine)):
            raise InputError("A model gives a word of this text no number.", "Write another.")
        logprobs.append(sum(known))
        top = mine[0].top if mine else ()
        tops.append([(one.text, math.exp(one.logprob)) for one in top])
        before = end
    return {"logprobs": logprobs, "tops": tops}


def _unigram(words: Sequence[str]) -> dict[str, Any]:
    counts = _counts()
    total = counts.total() + len(counts) + 1  # each once more, and one for all that are in no text
    shares = [(counts[normal(word)] + 1) / total for word in words]
    top = [(word, (n + 1) / total) for word, n in counts.most_common(5)]
    logprobs = [math.log(share) for share in shares]
    return {"name": "unigram", "logprobs": logprobs, "tops": [top for _ in words]}


@cache
def _counts() -> Counter[str]:
    """How often each word stands in the texts that are shipped for pre-training."""
    found: Counter[str] = Counter()
    for file in sorted((assets_dir() / "corpora" / "pretraining").glob("*.txt")):
        found.update(map(normal, file.read_text(encoding="utf-8").split()))
    del found[""]
    return found


def shown(guesses: Sequence[str], truth: str | None = None) -> dict[str, Any]:
    """The most frequent guesses and their counts; with the truth, where it is known, among them."""
    counts = Counter(guesses)
    options = [word for word, _ in counts.most_common(SHOWN)]
    if truth is not None and truth not in options:
        options = [*options[: SHOWN - 1], truth]
    right = options.index(truth) if truth is not None else None
    return {"options": options, "tally": [[counts[one] for one in options]], "right": right}


def table(
    game: dict[str, Any], answers: Mapping[int, Sequence[str]], at: int
) -> list[dict[str, Any]]:
    """The room and the others at a word, and their perplexities over all that were revealed.

    Args:
        game: as ``prepared``.
        answers: what the room said, by the places of the words.
        at: the place of the word.
    """
    places = sorted(answers)
    unigram = game["guessers"][0]["logprobs"]
    room = {place: _room(game["bare"][place], answers[place], unigram[place]) for place in places}
    top = [(word, n / len(answers[at])) for word, n in Counter(answers[at]).most_common(5)]
    own = {"name": "the room", "logprobs": room, "tops": {at: top}}
    return [
        {
            "name": one["name"],
            "p": math.exp(one["logprobs"][at]),
            "pp": math.exp(-sum(one["logprobs"][place] for place in places) / len(places)),
            "top": one["tops"][at],
        }
        for one in (own, *game["guessers"])
    ]


def _room(word: str, guesses: Sequence[str], unigram: float) -> float:
    """ln p of the room."""
    return math.log((list(guesses).count(word) + math.exp(unigram)) / (len(guesses) + 1))
