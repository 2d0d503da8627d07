"""One changed matrix to look at, and all of a model's, as plain frozen values."""

from dataclasses import dataclass

from lmlab.features.change.changes import KnifePoint, MatrixChange


@dataclass(frozen=True, slots=True)
class Picture:
    """A matrix, one byte an entry.

    Attributes:
        shape: of the matrix, (d, k).
        rows: of the picture; fewer than d where blocks of entries are drawn as one.
        columns: of the picture.
        largest: the absolute value that 127 stands for.
        entries: rows·columns signed bytes, row by row.
    """

    shape: tuple[int, int]
    rows: int
    columns: int
    largest: float
    entries: bytes


@dataclass(frozen=True, slots=True)
class MatrixView:
    """One matrix in full.

    Attributes:
        change: its figures.
        spectrum: singular values of W, falling; none of a vector.
        w: W itself, [d, k]; of a vector [1, d].
        delta: ΔW, the same.
        v: V with α·s in it, [d, ℓ], where an adapter makes ΔW.
        u: U, [ℓ, k].
    """

    change: MatrixChange
    spectrum: tuple[float, ...]
    w: Picture
    delta: Picture
    v: Picture | None = None
    u: Picture | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Every matrix and vector that fine-tuning could change.

    Attributes:
        base: its name.
        tuned: the name of what was made from it.
        matrices: in the model's order.
    """

    base: str
    tuned: str
    matrices: tuple[MatrixChange, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What was learned changes no weight: a soft prompt.

    Attributes:
        tuned: its name.
        length: how many vectors are put before the text.
        width: numbers in each.
    """

    tuned: str
    length: int
    width: int


@dataclass(frozen=True, slots=True)
class Knifed:
    """The rank knife, so far.

    Attributes:
        base: its name.
        tuned: the name of what was made from it.
        task: what the task's texts are, in a few words.
        general: what the general texts are.
        ranks: every k that is asked for.
        points: those that are measured, in the order of ``ranks``.
        whole: the tuned model itself, measured without the knife; None until it is.
    """

    base: str
    tuned: str
    task: str
    general: str
    ranks: tuple[int, ...]
    points: tuple[KnifePoint, ...] = ()
    whole: KnifePoint | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing."""
        return self.whole is not None and len(self.points) == len(self.ranks)

    @property
    def gap(self) -> float | None:
        """How far the last cut, all of ΔW, is from the tuned model: nats a token; None before."""
        if self.whole is None or not self.points or not self.is_done:
            return None
        last = self.points[-1]
        return max(abs(last.task - self.whole.task), abs(last.general - self.whole.general))
