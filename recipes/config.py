"""Every choice of the recipe in one place: mixture, shapes, training; frozen dataclasses only."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from recipes.taskdocs import TaskDocConfig

ASSETS = Path(__file__).parent.parent / "assets"
DEFAULT_WORK = Path(".work")
DATA_VARIABLE = "LMLAB_CORPUS"
TASKS, COMPOSED, INVENTED = "tasks", "tasks_composed", "tasks_invented"
GENERATED = "Apache-2.0, film reviews in it CC BY 4.0"


@dataclass(frozen=True)
class Part:
    """One part of the mixture: its share of the training tokens, of those of the last phase
    (windows of the full context, falling learning rate), of those of a run that goes on from a
    finished one, and how much text is taken."""

    name: str
    weight: float
    late: float
    onward: float
    megabytes: float
    licence: str
    origin: str


@dataclass(frozen=True)
class Mixture:
    """The parts, the seed of the task documents, and their form."""

    parts: tuple[Part, ...] = (
        Part("stories", 0.40, 0.50, 0.48, 21, "CDLA-Sharing-1.0", "TinyStories"),
        Part("storybooks", 0.03, 0.02, 0.02, 2, "CC BY 4.0", "African Storybook, Pratham Books"),
        Part("books_children", 0.10, 0.04, 0.05, 12, "public domain", "children's classics"),
        Part("books_easy", 0.05, 0.01, 0.02, 8, "public domain in the US", "classics, dialogue"),
        Part("wiki", 0.06, 0.02, 0.03, 8, "CC BY-SA 3.0", "English Wikipedia, about 2021"),
        Part("tinyshakespeare", 0.01, 0.01, 0.01, 2, "public domain", "Shakespeare's plays"),
        Part(TASKS, 0.35, 0.08, 0.06, 22, GENERATED, "recipes.taskdocs"),
        Part(COMPOSED, 0.0, 0.32, 0.03, 14, GENERATED, "recipes.taskdocs"),
        Part(INVENTED, 0.0, 0.0, 0.30, 16, GENERATED, "recipes.taskdocs"),
    )
    seed: int = 20

    @property
    def task_docs(self) -> dict[str, TaskDocConfig]:
        """The form of the task documents of each part that has some."""
        return {
            TASKS: TaskDocConfig(),
            COMPOSED: TaskDocConfig(composed=0.85, lookup=0.12),
            INVENTED: TaskDocConfig(invented=0.95, lookup=0.12, named=0.0, instruction=0.1),
        }


@dataclass(frozen=True)
class Shape:
    """The size of a decoder."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int = 4096
    context: int = 512


SHAPES: dict[str, Shape] = {
    "base": Shape(256, 6, 4, 2, 592),
    "small": Shape(128, 4, 4, 2, 320),
    "tiny": Shape(48, 4, 2, 2, 112),
    "micro": Shape(32, 2, 2, 1, 64),
}


@dataclass(frozen=True)
class TrainConfig:
    """One pre-training run. The last ``long_share`` of it sees windows of the full context; one
    that goes ``onward`` for the n-th time starts from the weights of the run before and sees
    nothing else."""

    shape: str = "base"
    tokens: int = 15_000_000
    batch_tokens: int = 4096
    micro_tokens: int = 4096
    short_window: int = 256
    window: int = 512
    long_share: float = 0.55
    muon_lr: float = 4e-3
    adam_lr: float = 3e-3
    weight_decay: float = 0.05
    warmup: float = 0.02
    decay: float = 0.4
    seed: int = 20
    clip: float = 1.0
    save_seconds: float = 45.0
    valid_every: int = 500
    snapshots: int = 0
    onward: int = 0

    @property
    def steps(self) -> int:
        """How many optimiser steps the run has."""
        return max(1, self.tokens // self.batch_tokens)

    @property
    def run(self) -> str:
        """The name of the run's folder."""
        return f"{self.shape}-onward-{self.onward}" if self.onward else self.shape

    @property
    def earlier(self) -> str:
        """The folder of the run that this one goes on from."""
        return replace(self, onward=self.onward - 1).run


def corpus_folder(given: str | None) -> Path:
    """The folder with ``pretrain/`` and ``sets/``; an error that says what to do without it."""
    chosen = given or os.environ.get(DATA_VARIABLE) or "../shared/data"
    folder = Path(chosen)
    if not (folder / "pretrain").is_dir():
        raise SystemExit(
            f"No corpus at {folder}: name a folder that holds pretrain/ and sets/ with --data "
            f"or {DATA_VARIABLE}, or a Hub data set of texts with --hub."
        )
    return folder
