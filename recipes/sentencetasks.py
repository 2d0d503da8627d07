"""The tasks on sentences: each a generator of input-output pairs; knows nothing of formats."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from recipes import textbits as bits
from recipes import words

Pair = tuple[str, str]
Label = str


@dataclass(frozen=True)
class SentenceTask:
    """A task whose pairs are drawn: ``draw(rng)`` gives one input and its output."""

    name: str
    x_label: str
    y_label: str
    instructions: tuple[str, ...]
    draw: Callable[[Random], Pair]
    label_sets: tuple[dict[Label, str], ...] = ({},)
    weight: float = 1.0


def sentiment(rng: Random) -> Pair:
    """A sentence of praise or blame, and which of the two it is."""
    good = rng.random() < 0.5
    adjectives = bits.GOOD_ADJECTIVES if good else bits.BAD_ADJECTIVES
    clauses = bits.GOOD_CLAUSES if good else bits.BAD_CLAUSES
    first, second = rng.sample(adjectives, 2)
    thing, other = rng.sample(bits.REVIEWED, 2)
    clause = rng.choice(clauses)
    text = rng.choice(
        (
            f"The {thing} was {first}.",
            f"What a {first} {thing}!",
            f"The {thing} was {first} and {second}.",
            f"A {first}, {second} {thing}.",
            f"The {thing} was {first} and {clause}.",
            f"{clause[0].upper()}{clause[1:]}, the {thing} was so {first}.",
            f"{clause[0].upper()}{clause[1:]}.",
            f"The {thing} and the {other} were both {first}.",
            f"I thought the {thing} was {first}.",
            f"This is a {first} {thing}.",
        )
    )
    return text, "positive" if good else "negative"


def topic(rng: Random) -> Pair:
    """One to three sentences about one subject, and the subject."""
    name = rng.choice(tuple(bits.TOPICS))
    chosen = rng.sample(bits.TOPICS[name], rng.choice((1, 2, 2, 3)))
    return " ".join(chosen), name


def story_question(rng: Random) -> Pair:
    """Two sentences and a question that one of them answers."""
    kind = rng.choice((_who_has, _where_went, _what_ate, _which_animal))
    return kind(rng)


def _who_has(rng: Random) -> Pair:
    (a, b), (x, y) = rng.sample(bits.NAMES, 2), rng.sample(bits.THINGS, 2)
    c, d = rng.sample(bits.COLOURS, 2)
    story = f"{a} has a {c} {x}. {b} has a {d} {y}."
    return rng.choice(
        (
            (f"{story} Who has the {x}?", a),
            (f"{story} Who has the {y}?", b),
            (f"{story} What does {a} have?", f"a {c} {x}"),
            (f"{story} What does {b} have?", f"a {d} {y}"),
            (f"{story} What colour is the {x}?", c),
            (f"{story} What colour is the {y}?", d),
        )
    )


def _where_went(rng: Random) -> Pair:
    (a, b), (x, y) = rng.sample(bits.NAMES, 2), rng.sample(bits.PLACES, 2)
    story = f"{a} went to the {x}. {b} went to the {y}."
    return rng.choice(
        (
            (f"{story} Where is {a}?", f"the {x}"),
            (f"{story} Where is {b}?", f"the {y}"),
            (f"{story} Who went to the {x}?", a),
            (f"{story} Who went to the {y}?", b),
        )
    )


def _what_ate(rng: Random) -> Pair:
    a, b = rng.sample(bits.NAMES, 2)
    x, thing = rng.choice(bits.FOODS), rng.choice(bits.THINGS)
    place, action = rng.choice(bits.PLACES), rng.choice(bits.ACTIONS)
    story = f"{a} found the {thing} in the {place}. Then {b} gave {a} some {x}s and {a} {action}."
    return rng.choice(
        (
            (f"{story} What did {a} find?", f"the {thing}"),
            (f"{story} Where was the {thing}?", f"the {place}"),
            (f"{story} Who found the {thing}?", a),
            (f"{story} Who gave {a} some {x}s?", b),
        )
    )


def _which_animal(rng: Random) -> Pair:
    (x, y), (c, d) = rng.sample(bits.ANIMALS, 2), rng.sample(bits.COLOURS, 2)
    place, a = rng.choice(bits.PLACES), rng.choice(bits.NAMES)
    story = f"{a} saw a {c} {x} in the {place}. A {d} {y} ran by."
    return rng.choice(
        (
            (f"{story} What colour was the {x}?", c),
            (f"{story} What colour was the {y}?", d),
            (f"{story} Which animal ran by?", f"the {y}"),
            (f"{story} Where was the {x}?", f"the {place}"),
            (f"{story} Who saw the {x}?", a),
        )
    )


def similarity(rng: Random) -> Pair:
    """Two sentences, and whether they mean the same."""
    same = rng.random() < 0.5
    a, b = rng.choice(bits.SYNONYMS)
    thing = rng.choice((*bits.THINGS, *bits.ANIMALS))
    place = rng.choice(bits.PLACES)
    first = f"The {thing} in the {place} is {a}."
    if same:
        second = rng.choice(
            (f"The {thing} in the {place} is {b}.", f"In the {place} there is a {b} {thing}.")
        )
    else:
        second = _different(rng, thing, place, a)
    if rng.random() < 0.5:
        first, second = second, first
    return f"{first} {second}", "same" if same else "different"


def _different(rng: Random, thing: str, place: str, quality: str) -> str:
    other_thing = rng.choice([t for t in (*bits.THINGS, *bits.ANIMALS) if t != thing])
    other_place = rng.choice([p for p in bits.PLACES if p != place])
    other = rng.choice([p[1] for p in bits.SYNONYMS if p[0] != quality])
    return rng.choice(
        (
            f"The {other_thing} in the {place} is {quality}.",
            f"In the {other_place} there is a {quality} {thing}.",
            f"The {thing} in the {place} is {other}.",
            f"In the {other_place} there is a {other} {other_thing}.",
        )
    )


@cache
def _german() -> dict[str, str]:
    return {a: g for a, g, _, _ in words.adjectives()}


def sentence_german(rng: Random) -> Pair:
    """A short English sentence and its German translation."""
    adjective = rng.choice(bits.GERMAN_ADJECTIVES)
    german = _german()[adjective]
    kind = rng.random()
    if kind < 0.4:
        pronoun, be, ich, bin_ = rng.choice(bits.GERMAN_PRONOUNS)
        return f"{pronoun} {be} {adjective}", f"{ich} {bin_} {german}"
    if kind < 0.75:
        noun, der_noun = rng.choice(bits.GERMAN_NOUNS)
        return f"the {noun} is {adjective}", f"{der_noun} ist {german}"
    (verb, verb_german), (what, what_german) = (
        rng.choice(bits.GERMAN_VERBS),
        rng.choice(bits.GERMAN_OBJECTS),
    )
    return f"{verb} {what}", f"{verb_german} {what_german}"


def german_sentence(rng: Random) -> Pair:
    """The same the other way round."""
    english, german = sentence_german(rng)
    return german, english


def who(rng: Random) -> Pair:
    """A sentence, and the name in it."""
    a = rng.choice(bits.NAMES)
    thing, place = rng.choice(bits.THINGS), rng.choice(bits.PLACES)
    text = rng.choice(
        (
            f"In the {place} {a} saw a {thing}.",
            f"{a} lost a {thing} near the {place}.",
            f"The {thing} was found by {a}.",
            f"Give the {thing} to {a}, please.",
        )
    )
    return text, a


def what(rng: Random) -> Pair:
    """A sentence like those of ``who``, and the thing in it."""
    text, _ = who(rng)
    found = [w.strip(".,") for w in text.split() if w.strip(".,") in bits.THINGS]
    return text, found[0]


SENTIMENT_LABELS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"positive": "good", "negative": "bad"},
    {"positive": "happy", "negative": "sad"},
    {"positive": "Positive", "negative": "Negative"},
)
SIMILARITY_LABELS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"same": "yes", "different": "no"},
)


@cache
def _telling() -> tuple[SentenceTask, ...]:
    """What a text says: feeling, topic, an answer, whether two mean the same."""
    T = SentenceTask
    return (
        T(
            "sentiment",
            "Review",
            "Sentiment",
            ("Is the sentence positive or negative?", "Classify the sentiment of each review."),
            sentiment,
            SENTIMENT_LABELS,
            1.2,
        ),
        T(
            "topic",
            "Story",
            "Topic",
            ("What is the story about?", "Name the topic of the text."),
            topic,
            weight=1.0,
        ),
        T(
            "story-question",
            "Story",
            "Answer",
            ("Answer the question about the story.",),
            story_question,
            weight=2.5,
        ),
        T(
            "similarity",
            "Sentences",
            "Meaning",
            ("Do the two sentences mean the same?",),
            similarity,
            SIMILARITY_LABELS,
            1.0,
        ),
    )


def sentence_tasks() -> tuple[SentenceTask, ...]:
    """Every task on sentences; documents drawn by seed depend on their order."""
    T = SentenceTask
    return (
        *_telling(),
        T(
            "sentence-german",
            "English",
            "German",
            ("Translate English to German.", "Translate the sentence to German."),
            sentence_german,
            weight=2.0,
        ),
        T(
            "german-sentence",
            "German",
            "English",
            ("Translate German to English.",),
            german_sentence,
            weight=1.0,
        ),
        T("who", "Sentence", "Name", ("Who is it about?",), who, weight=0.5),
        T("what", "Sentence", "Thing", ("Which thing is it about?",), what, weight=0.5),
    )
