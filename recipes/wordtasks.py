"""The tasks on single words: each a table of input-output pairs from the word lists."""

from dataclasses import dataclass
from functools import cache

from recipes import heldout, words

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

    @property
    def training(self) -> Pairs:
        """The pairs that training documents may show."""
        if not self.generalises:
            return self.pairs
        return tuple(p for p in self.pairs if p[0].lower() not in heldout.WORDS)

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


def ing(verb: str) -> str:
    """The -ing form of a verb of the list."""
    if verb in {"run", "swim", "sit", "win", "dig", "forget", "begin"}:
        return f"{verb}{verb[-1]}ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return f"{verb[:-1]}ing"
    return f"{verb}ing"


def third_person(verb: str) -> str:
    """What he, she or it does."""
    if verb.endswith(("sh", "ch", "ss", "x", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' and noun != 'university' else 'a'} {noun}"


def _first_of_each(pairs: Pairs) -> Pairs:
    found: dict[str, str] = {}
    for x, y in pairs:
        found.setdefault(x, y)
    return tuple(found.items())


def _vocabulary() -> tuple[str, ...]:
    return tuple(x for x, _ in english_german())


def _letter_tasks() -> list[WordTask]:
    every = _vocabulary()
    upper = tuple((w, w.upper()) for w in every)
    title = tuple((w, w.capitalize()) for w in every)
    first = tuple((w, w[0]) for w in every)
    last = tuple((w, w[-1]) for w in every)
    same = tuple((w, w) for w in every)
    return [
        WordTask(
            "capitals",
            "word",
            "capitals",
            ("Write in capital letters.", "Make each word upper case."),
            upper,
            True,
        ),
        WordTask("title", "word", "title", ("Begin with a capital letter.",), title, True, 0.5),
        WordTask(
            "first-letter",
            "word",
            "letter",
            ("Give the first letter.", "Which letter comes first?"),
            first,
            True,
        ),
        WordTask(
            "last-letter",
            "word",
            "letter",
            ("Give the last letter.", "Which letter comes last?"),
            last,
            True,
        ),
        WordTask("copy", "word", "copy", ("Repeat the word.", "Say it again."), same, True, 0.5),
    ]


def _verb_tasks() -> list[WordTask]:
    verbs = words.verbs()
    return [
        WordTask(
            "past-tense",
            "present",
            "past",
            ("Write the past tense.", "What happened yesterday?"),
            tuple((v, p) for v, _, p in verbs),
            True,
            1.3,
        ),
        WordTask(
            "ing-form",
            "verb",
            "ing",
            ("Write the -ing form.",),
            tuple((v, ing(v)) for v, _, _ in verbs),
            True,
            0.7,
        ),
        WordTask(
            "third-person",
            "verb",
            "he",
            ("What does he do?",),
            tuple((v, third_person(v)) for v, _, _ in verbs),
            True,
            0.6,
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
            1.3,
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
