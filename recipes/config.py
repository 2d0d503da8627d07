"""Every choice of the recipe in one place: mixture, shapes, training; frozen dataclasses only."""

import os
from dataclasses import dataclass
from pathlib import Path

from recipes.taskdocs import FEW_SHOTS, TaskDocConfig

ASSETS = Path(__file__).parent.parent / "assets"
DEFAULT_WORK = Path(".work")
DEFAULT_STATE = Path(__file__).parent / "state"
DATA_VARIABLE = "LMLAB_CORPUS"
TASKS, SHOTS, HEADED = "tasks", "shots", "headed"
SHARES = ("weight", "late", "falling", "again")  # by phase
GENERATED = "Apache-2.0, film reviews in it CC BY 4.0"


@dataclass(frozen=True)
class Part:
    """One part of the mixture: its share of the training tokens of the first phase, which is
    language alone, of the second, with tasks, of the third, while the learning rate falls, and of
    the last, in which it rises and falls again; and how much text is taken."""

    name: str
    weight: float
    late: float
    falling: float
    again: float
    megabytes: float
    licence: str
    origin: str


@dataclass(frozen=True)
class Mixture:
    """The parts, the seed of the task documents, and their form."""

    parts: tuple[Part, ...] = (
        Part("stories", 0.31, 0.28, 0.38, 0.15, 21, "CDLA-Sharing-1.0", "TinyStories"),
        Part(
            "storybooks", 0.02, 0.02, 0.02, 0.02, 2, "CC BY 4.0", "African Storybook, Pratham Books"
        ),
        Part("books_children", 0.24, 0.21, 0.11, 0.08, 43, "public domain", "children's classics"),
        Part(
            "books_easy",
            0.17,
            0.14,
            0.08,
            0.05,
            50,
            "public domain in the US",
            "classics, dialogue",
        ),
        Part("wiki", 0.24, 0.22, 0.10, 0.08, 51, "CC BY-SA 3.0", "English Wikipedia, about 2021"),
        Part("tinyshakespeare", 0.02, 0.01, 0.01, 0.01, 2, "public domain", "Shakespeare's plays"),
        Part(TASKS, 0.0, 0.12, 0.30, 0.08, 22, GENERATED, "recipes.taskdocs, recipes.realdocs"),
        Part(SHOTS, 0.0, 0.0, 0.0, 0.42, 9, GENERATED, "recipes.taskdocs: words, few shots"),
        Part(HEADED, 0.0, 0.0, 0.0, 0.11, 4, "CDLA-Sharing-1.0", "TinyStories, recipes.headed"),
    )
    seed: int = 20

    @property
    def task_docs(self) -> dict[str, TaskDocConfig]:
        """The form of the task documents of each part that has some."""
        return {TASKS: TaskDocConfig(), SHOTS: FEW_SHOTS}


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
    """One pre-training run: a rise of the learning rate, a stretch at its height for as many steps
    as there is time for, and a fall.

    Attributes:
        shape: one of ``SHAPES``.
        batch_tokens: tokens of a step, ``micro_tokens`` of them at once, in windows of ``window``.
        warmup: steps of the rise.
        tasks_from: the step from which the task documents are read too; none before it.
        fall_from: the step with which the fall begins; without one the run has no end.
        fall: steps of the fall.
        again: steps after the fall in which the rate, at ``again_rate`` of its height, falls anew.
        save_seconds: what a killed run loses at most.
        snapshots: keep the weights of step 0, and of 8, 16, 32 and so on.
    """

    shape: str = "base"
    batch_tokens: int = 8192
    micro_tokens: int = 4096
    window: int = 512
    muon_lr: float = 5e-3
    adam_lr: float = 4e-3
    weight_decay: float = 0.05
    warmup: int = 100
    tasks_from: int = 1500
    fall_from: int | None = 2600
    fall: int = 2000
    again: int = 900
    again_rate: float = 0.5
    seed: int = 20
    clip: float = 1.0
    save_seconds: float = 40.0
    valid_every: int = 250
    snapshots: bool = True

    @property
    def end(self) -> int | None:
        """The step after the last one, if there is one."""
        return None if self.fall_from is None else self.fall_from + self.fall + self.again

    def phase(self, step: int) -> int:
        """0 while language alone is read, 1 with tasks, 2 while the learning rate falls, 3 while
        it falls again."""
        if self.fall_from is not None and step >= self.fall_from:
            return 2 + int(step >= self.fall_from + self.fall)
        return int(step >= self.tasks_from)


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
