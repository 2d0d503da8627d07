"""The tasks on single words: each a table of input-output pairs from the word lists."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from recipes import heldout, words
from recipes.inflection import article, ing, regular_past, regular_plural, third_person

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WordTask:
    """A mapping of words; one that ``generalises`` is also asked about held-out words."""

    name: str
    x_label: str
    y_label: str
    instructions: tuple[str, ...]
    pairs: Pairs
    generalises: bool = False
    weight: float = 1.0
    more: Pairs = ()
    """Further pairs that training documents may show and that nothing else asks about."""

    @property
    def training(self) -> Pairs:
        """The pairs that training documents may show."""
        if not self.generalises:
            return self.pairs
        return tuple(p for p in self.pairs if p[0].lower() not in heldout.WORDS)

    @property
    def shown(self) -> Pairs:
        """Every pair that a training document may show."""
        return (*self.training, *self.more)

    @property
    def unseen(self) -> Pairs:
        """The pairs on held-out words; empty for a lexicon."""
        if not self.generalises:
            return ()
        return tuple(p for p in self.pairs if p[0].lower() in heldout.WORDS)


def english_german() -> Pairs:
    """Every noun, verb and adjective with its German word."""
    nouns = tuple((w, g) for w, g, _, _ in words.nouns())
    verbs = tuple((w, g) for w, g, _ in words.verbs())
    seen = {w for w, _ in nouns}
    adjectives = tuple((w, g) for w, g, _, _ in words.adjectives())
    rest = tuple((w, g) for w, g in (*verbs, *adjectives) if w not in seen)
    return _first_of_each((*nouns, *rest))


def number_words() -> Pairs:
    """Zero to ninety-nine in words and in digits."""
    ones = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen"
    ).split()
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    names = list(ones)
    for ten in tens:
        names += [ten, *(f"{ten}-{one}" for one in ones[1:10])]
    return tuple((name, str(value)) for value, name in enumerate(names))


def _first_of_each(pairs: Pairs) -> Pairs:
    found: dict[str, str] = {}
    for x, y in pairs:
        found.setdefault(x, y)
    return tuple(found.items())


def _vocabulary() -> tuple[str, ...]:
    return tuple(x for x, _ in english_german())


def _letters(
    name: str, y_label: str, tips: tuple[str, ...], form: Callable[[str], str], weight: float
) -> WordTask:
    """A task on the letters of a word: on every word of the lists, in training on many more."""
    known, more = (tuple((w, form(w)) for w in ws) for ws in (_vocabulary(), words.common()))
    return WordTask(name, "word", y_label, tips, known, True, weight, more)


def _letter_tasks() -> list[WordTask]:
    first = ("Give the first letter.", "Which letter comes first?")
    last = ("Give the last letter.", "Which letter comes last?")
    upper = ("Write in capital letters.", "Make each word upper case.")
    return [
        _letters("capitals", "capitals", upper, str.upper, 2.0),
        _letters("title", "title", ("Begin with a capital letter.",), str.capitalize, 1.0),
        _letters("first-letter", "letter", first, lambda w: w[0], 1.5),
        _letters("last-letter", "letter", last, lambda w: w[-1], 1.0),
        _letters("copy", "copy", ("Repeat the word.", "Say it again."), str, 1.5),
    ]


@cache
def drills() -> tuple[WordTask, ...]:
    """What only training documents show: how words are spelled, which the letter tasks build on."""
    return (
        _letters("spell", "letters", ("Spell the word.",), " ".join, 2.0),
        _letters("spell-dashes", "letters", ("Spell each word.",), "-".join, 0.7),
        _letters("capital-letters", "letters", ("Spell in capitals.",), _spelled_capitals, 1.0),
    )


def _spelled_capitals(word: str) -> str:
    return " ".join(word.upper())


def _verb_tasks() -> list[WordTask]:
    verbs, more = words.verbs(), words.common("v")
    past = ("Write the past tense.", "What happened yesterday?")
    return [
        WordTask(
            "past-tense",
            "present",
            "past",
            past,
            tuple((v, p) for v, _, p in verbs),
            True,
            1.5,
            tuple((v, regular_past(v)) for v in more),
        ),
        WordTask(
            "ing-form",
            "verb",
            "ing",
            ("Write the -ing form.",),
            tuple((v, ing(v)) for v, _, _ in verbs),
            True,
            0.8,
            tuple((v, ing(v)) for v in more),
        ),
        WordTask(
            "third-person",
            "verb",
            "he",
            ("What does he do?",),
            tuple((v, third_person(v)) for v, _, _ in verbs),
            True,
            0.8,
            tuple((v, third_person(v)) for v in more),
        ),
    ]


def _grammar_tasks() -> list[WordTask]:
    nouns = words.nouns()
    plural = tuple((w, p) for w, _, _, p in nouns)
    comparative = tuple((a, c) for a, _, _, c in words.adjectives() if c)
    return [
        WordTask(
            "plural",
            "singular",
            "plural",
            ("Write the plural.", "More than one of each thing."),
            plural,
            True,
            1.8,
            tuple((w, regular_plural(w)) for w in words.common("n")),
        ),
        *_verb_tasks(),
        WordTask(
            "article",
            "noun",
            "phrase",
            ("Put a or an in front.",),
            tuple((w, article(w)) for w, _, _, _ in nouns),
            True,
            0.6,
            tuple((w, article(w)) for w in words.common("n")),
        ),
        WordTask(
            "comparative",
            "adjective",
            "comparative",
            ("Write the comparative.",),
            comparative,
            weight=0.7,
        ),
    ]


def _lexicon_tasks() -> list[WordTask]:
    forward = english_german()
    backward = _first_of_each(tuple((g, e) for e, g in forward))
    opposites = tuple((a, o) for a, _, o, _ in words.adjectives()) + words.pairs("opposite")
    numbers = number_words()
    return [
        WordTask(
            "english-german",
            "English",
            "German",
            ("Translate English to German.", "Translate to German."),
            forward,
            weight=4.0,
        ),
        WordTask(
            "german-english",
            "German",
            "English",
            ("Translate German to English.", "Translate to English."),
            backward,
            weight=3.0,
        ),
        WordTask(
            "opposite",
            "word",
            "opposite",
            ("Give the opposite.", "Write the word that means the opposite."),
            _first_of_each(opposites),
            weight=1.6,
        ),
        WordTask(
            "category",
            "word",
            "category",
            ("What kind of thing is it?", "Name the category."),
            tuple((w, c) for w, _, c, _ in words.nouns()),
            weight=2.0,
        ),
        WordTask(
            "number-word", "word", "number", ("Write the number in digits.",), numbers, weight=1.0
        ),
        WordTask(
            "digits-word",
            "number",
            "word",
            ("Write the number in words.",),
            tuple((d, w) for w, d in numbers),
            weight=1.0,
        ),
        *_listed_tasks(),
    ]


def _listed_tasks() -> list[WordTask]:
    listed = [
        ("colour", "thing", "colour", ("What colour is it?", "Name the colour.")),
        ("sound", "animal", "sound", ("What sound does it make?",)),
        ("capital", "country", "capital", ("Name the capital city.",)),
        ("young", "animal", "young", ("What is the young one called?",)),
        ("home", "who", "home", ("Where does it live?",)),
        ("synonym", "word", "synonym", ("Give a word that means the same.",)),
    ]
    return [
        WordTask(name, x, y, tips, words.pairs(name), weight=0.8) for name, x, y, tips in listed
    ]


@cache
def word_tasks() -> tuple[WordTask, ...]:
    """Every task on single words."""
    return (*_letter_tasks(), *_grammar_tasks(), *_lexicon_tasks())
