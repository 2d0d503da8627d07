"""What the report measures, as functions of a model and rows: bits per byte, few-shot, exact match.

Everything is teacher-forced: a greedy completion equals the answer exactly when every token of the
answer, and the sign that ends it, is the model's favourite.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean, pstdev

from lmlab.models.model import LM
from lmlab.scoring import scored as results
from lmlab.scoring.score import ScoreRequest, score_many
from lmlab.scoring.scored import Scored
from recipes.formats import Format
from recipes.sentencetasks import SentenceTask
from recipes.taskdocs import Pair, Task
from recipes.wordtasks import WordTask

ENDS = re.compile(r"\n| ?[^\s\w]+")


@dataclass(frozen=True)
class Cell:
    """Few-shot figures of one task at one number of shots: means over draws, and their spread."""

    accuracy: float
    spread: float
    logprob: float


def bits_per_byte(lm: LM, texts: Sequence[str]) -> float:
    """Over all texts together."""
    return results.bits_per_byte(score_many(lm, list(texts), top_k=0))


def log_likelihoods(lm: LM, pairs: Sequence[Pair]) -> list[Scored]:
    """Each (prompt, answer), the answer scored given the prompt."""
    return score_many(lm, [ScoreRequest(answer, prompt) for prompt, answer in pairs], top_k=0)


def exact(scored: Scored) -> bool:
    """Whether greedy decoding would have written this answer; what the prompt gave is left out."""
    given = len(scored.moved)
    return all(token.rank == 1 for token in scored.tokens if token.end > given)


def exact_match(lm: LM, pairs: Sequence[Pair]) -> float:
    """Share of answers that greedy decoding would have written."""
    return mean(exact(scored) for scored in log_likelihoods(lm, pairs))


def label_accuracy(
    lm: LM, prompts: Sequence[str], labels: Sequence[str], true: Sequence[str]
) -> float:
    """Share of prompts after which the true label is the likeliest of ``labels``."""
    pairs = [(prompt, label) for prompt in prompts for label in labels]
    values = [scored.logprob for scored in log_likelihoods(lm, pairs)]
    n = len(labels)
    chosen = [labels[max(range(n), key=lambda j: values[i * n + j])] for i in range(len(prompts))]
    return mean(a == b for a, b in zip(chosen, true, strict=True))


def few_shot(
    lm: LM, task: Task, layouts: Sequence[Format], shots: int, draws: int, queries: int, seed: int
) -> Cell:
    """A task with ``shots`` examples before each query; every draw has its own layout and rows."""
    requests: list[Pair] = []
    for draw in range(draws):
        rng = Random(f"{seed}/{task.name}/{draw}")
        layout = rng.choice(list(layouts))
        requests += [_request(task, layout, shots, rng) for _ in range(queries)]
    scored = log_likelihoods(lm, requests)
    hits = [exact(s) for s in scored]
    each = [mean(hits[i * queries : (i + 1) * queries]) for i in range(draws)]
    return Cell(mean(each), pstdev(each), mean(s.logprob for s in scored))


def _request(task: Task, layout: Format, shots: int, rng: Random) -> Pair:
    pairs, query = examples(task, shots, rng)
    prompt = "".join(layout.shot(x, y) for x, y in pairs) + layout.query(query[0])
    ends = ENDS.match(layout.after)
    answer = layout.answer(*query)
    return prompt, answer[: len(answer) - len(layout.after)] + (ends[0] if ends else "")


def examples(task: Task, shots: int, rng: Random) -> tuple[list[Pair], Pair]:
    """Shots and a query with an input of its own; words never trained on are asked where there
    are some."""
    if isinstance(task, WordTask):
        query = rng.choice(task.unseen or task.pairs)
        pool = [pair for pair in task.training if pair[0] != query[0]]
        return rng.sample(pool, shots), query
    return _drawn(task, shots, rng)


def _drawn(task: SentenceTask, shots: int, rng: Random) -> tuple[list[Pair], Pair]:
    found: dict[str, str] = {}
    while len(found) < shots + 1:
        x, y = task.draw(rng)
        found.setdefault(x, y)
    *pairs, query = found.items()
    return pairs, query
