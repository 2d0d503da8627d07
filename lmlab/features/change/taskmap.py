"""The map of tasks: how far tuned variants are from each other. Frozen, plain Python values."""

import math
from dataclasses import dataclass

LN2 = math.log(2)


@dataclass(frozen=True)
class TaskMap:
    """Variants of one base on the same texts.

    Attributes:
        names: of the models; the first is the base.
        own: the task that each was tuned for; empty for the base.
        kinds: of text; all but the last are the tasks, which distances are measured on.
        n_rows: rows scored of each kind.
        n_tokens: tokens scored of each kind.
        distances: [model][model], mean over tasks of the mean over tokens of √JSD of the two
            next-token distributions, from 0 to 1.
        points: (x, y) of each model in the unit of the distances.
        stress: Kruskal's stress-1 of the points.
        spread: for each model the standard deviation of its distance from the base over the rows of
            its own task; 0 for the base.
        losses: [model][kind], log-perplexity in nats a token.
    """

    names: tuple[str, ...]
    own: tuple[str, ...]
    kinds: tuple[str, ...]
    n_rows: tuple[int, ...]
    n_tokens: tuple[int, ...]
    distances: tuple[tuple[float, ...], ...]
    points: tuple[tuple[float, float], ...]
    stress: float
    spread: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]

    def moved(self, model: int, kind: int) -> float:
        """log₂ of a model's perplexity over the base's: below 0 where it became better."""
        return (self.losses[model][kind] - self.losses[0][kind]) / LN2
