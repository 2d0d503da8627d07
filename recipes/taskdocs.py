"""In-context task documents: many examples of one task in one format; deterministic by seed.

The two generators here never show a held-out format, nor a held-out word in a task that can
generalise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from recipes import formats
from recipes.formats import Format
from recipes.sentencetasks import SentenceTask, sentence_tasks
from recipes.wordtasks import WordTask, drills, word_tasks

Pair = tuple[str, str]
Task = WordTask | SentenceTask


SHOWN = "\x1f"
"""In a training document: what stands before it is shown, and carries no loss."""


@dataclass(frozen=True)
class TaskDocConfig:
    """How long documents are, how often they say what the task is, and which tasks they show."""

    min_shots: int = 5
    max_shots: int = 36
    max_chars: int = 1200
    instruction: float = 0.2
    named: float = 0.12
    lookup: float = 0.1
    """Share of documents whose mapping is made up on the spot, learnable from context alone."""
    composed: float = 0.5
    """Share of documents whose layout is put together at random."""
    made_up: float = 0.0
    """Share of documents whose layout is made of signs and labels drawn at random."""
    sentence: float = 0.15
    """Share of documents whose layout is a sentence, or what printers set."""
    seed: int = 0
    """Added to the mixture's."""
    weights: tuple[tuple[str, float], ...] = ()
    """Of the tasks by name, in place of their own; what is not named is left out."""


FEW_SHOTS = TaskDocConfig(
    min_shots=4,
    max_shots=16,
    max_chars=700,
    named=0.05,
    composed=0.15,
    sentence=0.05,
    made_up=0.65,
    seed=1,
    weights=(
        *(("english-german", 5.0), ("german-english", 2.5), ("opposite", 2.5), ("category", 1.5)),
        *(("number-word", 0.8), ("digits-word", 0.8), ("colour", 0.6), ("sound", 0.6)),
        *(("capital", 0.6), ("young", 0.6), ("home", 0.6), ("synonym", 0.8), ("comparative", 0.6)),
        *(("plural", 3.0), ("past-tense", 3.0), ("ing-form", 0.6), ("third-person", 0.8)),
        *(("article", 0.3), ("capitals", 3.0), ("title", 1.5), ("first-letter", 2.0)),
        *(("last-letter", 0.6), ("copy", 5.0), ("sentiment-real", 3.0), ("story-question", 2.5)),
    ),
)
"""Short documents in layouts that no other has, which have to be read off the examples."""


@dataclass(frozen=True)
class TaskDoc:
    """One document and what it was made from."""

    text: str
    task: str
    format: str
    inputs: tuple[str, ...]


def documents(
    seed: int, config: TaskDocConfig, extra: Sequence[SentenceTask] = ()
) -> Iterator[TaskDoc]:
    """Endless documents; ``extra`` are further tasks, on real rows for example."""
    rng = Random(seed + config.seed)
    tasks: list[Task] = [*word_tasks(), *drills(), *sentence_tasks(), *extra]
    named = dict(config.weights) or {task.name: task.weight for task in tasks}
    weights = [named.get(task.name, 0.0) for task in tasks]
    while True:
        if rng.random() < config.lookup:
            yield _lookup_document(rng, config)
        else:
            yield _task_document(rng, rng.choices(tasks, weights)[0], config)


def draw_pairs(task: Task, rng: Random, count: int) -> list[Pair]:
    """``count`` training pairs of a task, inputs distinct as far as there are enough."""
    if isinstance(task, WordTask):
        pool = task.shown
        if count <= len(pool):
            return rng.sample(pool, count)
        return [*rng.sample(pool, len(pool)), *rng.choices(pool, k=count - len(pool))]
    labels = rng.choice(task.label_sets)
    drawn = (task.draw(rng) for _ in range(count))
    return [(x, labels.get(y, y)) for x, y in drawn]


def write(pairs: Sequence[Pair], layout: Format, instruction: str = "") -> str:
    """The examples one after another, under an instruction line when there is one."""
    head = f"{instruction}\n" if instruction else ""
    return head + "".join(layout.shot(x, y) for x, y in pairs).rstrip()


def _marked(pairs: Sequence[Pair], layout: Format, instruction: str = "") -> str:
    """The same, with the sign before what carries loss: after the first example or, under an
    instruction, from the first answer on."""
    (x, y), *rest = pairs
    head = f"{instruction}\n" if instruction else ""
    shown = layout.query(x) if instruction or not rest else layout.shot(x, y).rstrip()
    text = write(pairs, layout, instruction)
    until = len(head + shown)
    return text[:until] + SHOWN + text[until:]


def _task_document(rng: Random, task: Task, config: TaskDocConfig) -> TaskDoc:
    if rng.random() < config.named:
        layout = formats.named(task.x_label.capitalize(), task.y_label.capitalize())
    else:
        layout = _layout(rng, config)
    pairs = draw_pairs(task, rng, rng.randint(config.min_shots, config.max_shots))
    pairs = _shortened(pairs, layout, config.max_chars)
    instruction = rng.choice(task.instructions) if rng.random() < config.instruction else ""
    text = _marked(pairs, layout, instruction)
    return TaskDoc(text, task.name, layout.name, tuple(x for x, _ in pairs))


def _layout(rng: Random, config: TaskDocConfig) -> Format:
    kind = rng.random()
    if kind < config.composed:
        return formats.composed(rng)
    if kind < config.composed + config.sentence:
        return rng.choice(formats.SENTENCES)
    if kind < config.composed + config.sentence + config.made_up:
        return formats.made_up(rng)
    return rng.choice(formats.SEEN)


def _shortened(pairs: list[Pair], layout: Format, limit: int) -> list[Pair]:
    kept: list[Pair] = []
    size = 0
    for x, y in pairs:
        size += len(layout.shot(x, y))
        if size > limit and len(kept) >= 2:
            break
        kept.append((x, y))
    return kept


def _lookup_document(rng: Random, config: TaskDocConfig) -> TaskDoc:
    """A few words mapped to other words at random, each shown several times."""
    task = next(t for t in word_tasks() if t.name == "english-german")
    english = [x for x, _ in task.pairs]
    keys = rng.sample(english, rng.randint(3, 8))
    values = rng.sample(english, rng.choice((2, len(keys))))
    mapping = {k: rng.choice(values) for k in keys}
    layout = _layout(rng, config)
    chosen = rng.choices(keys, k=rng.randint(12, config.max_shots))
    pairs = _shortened([(k, mapping[k]) for k in chosen], layout, config.max_chars)
    return TaskDoc(_marked(pairs, layout), "lookup", layout.name, ())
