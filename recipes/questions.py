"""Questions in plain words with short answers: facts of the word lists, and small stories."""

from collections.abc import Iterator
from random import Random

from recipes.inflection import article
from recipes.sentencetasks import story_question
from recipes.wordtasks import WordTask, word_tasks

ASKED: dict[str, tuple[str, ...]] = {
    "plural": ("What is the plural of {x}?", "How do you say more than one {x}?"),
    "past-tense": ("What is the past tense of {x}?",),
    "english-german": ("What is the German word for {x}?", "How do you say {x} in German?"),
    "german-english": ("What does the German word {x} mean?",),
    "opposite": ("What is the opposite of {x}?",),
    "comparative": ("What is the comparative of {x}?",),
    "category": ("What kind of thing is {ax}?",),
    "capital": ("What is the capital of {x}?",),
    "colour": ("What colour is {x}?",),
    "sound": ("What sound does {ax} make?",),
    "young": ("What is a young {x} called?",),
    "first-letter": ("What is the first letter of {x}?",),
    "last-letter": ("What is the last letter of {x}?",),
    "number-word": ("How do you write {x} in digits?",),
}


def facts() -> Iterator[tuple[str, str]]:
    """Every fact of the lists as (question, answer), in the lists' order."""
    tasks: dict[str, WordTask] = {task.name: task for task in word_tasks()}
    for name, forms in ASKED.items():
        for i, (x, y) in enumerate(tasks[name].pairs):
            yield forms[i % len(forms)].format(x=x, ax=article(x)), y


def stories(seed: int, count: int) -> list[tuple[str, str]]:
    """``count`` different small stories, each with a question and its answer."""
    rng = Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        question, answer = story_question(rng)
        found.setdefault(question, answer)
    return list(found.items())
