"""How many parameters a method trains, and what that costs; from a model's shape alone, no torch.

The lecture's count: a matrix W of d × k has d·k parameters, its LoRA V·U has ℓ(d + k). The factors
of the longest batch's memory were measured (``python -m bench.memory``): between bytes that a step
keeps and what a process then takes lie what a step holds for a moment, and what the allocator
cannot give back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lmlab.training.config import FinetuneConfig
from lmlab.training.shapes import ModelShape, Parameter, lora_targets, selected

FLOAT = 4  # bytes of a trainable number, of its gradient, and of each of AdamW's two moments
SNAPSHOTS = 100_000_000  # bytes of all snapshots of a run together, at most
LIBRARIES = 40_000_000  # bytes of code and tables that only a run needs
TAKEN, TAKEN_BY_LORA = 1.25, 1.75  # bytes taken for each that is kept
LOGITS = 2  # tables of logits on top of the one that is kept, on the way back
MEASURED = 2048  # tokens of a batch that is only measured: two tables of logits
PROBE = 250  # tokens of a general text
# Numbers kept for each that a linear map gives, where a model cannot be asked.
ROUGHLY = 3.0

# Bytes that a batch keeps, by config, rows, their width and the positions that carry loss.
KeptBytes = Callable[[FinetuneConfig, int, int, int], int]


@dataclass(frozen=True, slots=True)
class Load:
    """The longest batch of a run."""

    rows: int  # in it
    width: int  # its longest row, in tokens
    kept: int  # positions before a token that carries loss, those of all its rows together


def activation_bytes(shape: ModelShape, config: FinetuneConfig, load: Load, kept: KeptBytes) -> int:
    """Bytes on top of weights, gradients and optimiser, at their most."""
    saved = kept(config, load.rows, load.width, load.kept)
    table = FLOAT * shape.vocabulary
    taken = TAKEN_BY_LORA if config.method == "lora" else TAKEN
    step = taken * saved + LOGITS * table * load.rows * load.kept
    read = PROBE * config.probe_rows if config.probe_rows else load.rows * load.kept
    measured = 2 * table * min(max(MEASURED, load.width), read)
    return LIBRARIES + round(max(step, measured))


def roughly(shape: ModelShape) -> KeptBytes:
    """Bytes that a batch keeps, from the sizes of the linear maps alone."""
    outputs = sum(p.shape[0] for p in shape.parameters if p.linear)

    def kept(config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        each = ROUGHLY * (width + config.soft) * outputs + n * shape.vocabulary
        return round(FLOAT * rows * each)

    return kept


@dataclass(frozen=True, slots=True)
class MatrixCount:
    """One parameter of the model, and what the method trains of it or beside it."""

    name: str  # of the parameter
    shape: tuple[int, ...]  # (d, k) for a matrix, outputs first; (d,) for a vector
    layer: int | None  # its number, or None outside the layers
    own: int  # d·k, the numbers in it
    trained: int  # of those, or of V and U beside it: ℓ(d + k), with DoRA d more
    rank: int = 0  # the ℓ of this matrix; 0 where it has no LoRA

    @property
    def formula(self) -> str:
        """The count written out."""
        if self.rank:
            d, k = self.shape
            return f"ℓ(d + k) = {self.rank} · ({d:,} + {k:,}) = {self.rank * (d + k):,}"
        if len(self.shape) == 2:
            return f"d · k = {self.shape[0]:,} · {self.shape[1]:,} = {self.own:,}"
        return f"d = {self.own:,}"


@dataclass(frozen=True)
class Counts:
    """A method's cost before it starts."""

    method: str  # of the config
    trainable: int  # numbers that learn
    total: int  # numbers of the model, with those that the method adds
    matrices: tuple[MatrixCount, ...]  # the trained ones, or those with LoRA beside them
    flops_per_token: float  # of one training step, forward and backward
    seconds: float | None = None  # that all steps will take; None while no speed is known
    activation_bytes: int = 0  # of the longest batch with its logits; 0 where none is known

    @property
    def share(self) -> float:
        """Trainable of total."""
        return self.trainable / self.total

    @property
    def weights_bytes(self) -> int:
        """Of the model in memory."""
        return FLOAT * self.total

    @property
    def gradient_bytes(self) -> int:
        """Of the gradients."""
        return FLOAT * self.trainable

    @property
    def optimiser_bytes(self) -> int:
        """Of AdamW's two moments."""
        return 2 * FLOAT * self.trainable

    @property
    def memory_bytes(self) -> int:
        """Weights, gradients, optimiser and activations together."""
        return FLOAT * (self.total + 3 * self.trainable) + self.activation_bytes

    @property
    def disk_bytes(self) -> int:
        """Of checkpoints, snapshots and what is learned, at their most."""
        learned = self.trainable if self.method in ("lora", "prompt") else self.total
        return disk_bytes(self.trainable, learned)


def count(
    shape: ModelShape,
    config: FinetuneConfig,
    *,
    row_tokens: float = 0.0,
    flops_per_second: float | None = None,
    load: Load | None = None,
    kept: KeptBytes | None = None,
) -> Counts:
    """Count a method's parameters.

    Args:
        row_tokens: mean length of a row.
        flops_per_second: what the machine does, for the estimate of the time.
        load: the longest batch, for the estimate of the memory.
        kept: what a row of it keeps; a rough guess where it is not given.

    Raises:
        InputError: a target or a part that matches nothing; a rank above a matrix's.
    """
    matrices = _matrices(shape, config)
    learning = sum(m.trained for m in matrices)
    added = learning if config.method == "lora" else config.soft * shape.hidden
    trainable = learning if matrices else added
    flops, seconds = _flops(shape, config, matrices, trainable), None
    if flops_per_second and row_tokens:
        rows = config.steps * config.batch_size * config.accumulation
        seconds = rows * (row_tokens + config.soft) * flops / flops_per_second
    batch = activation_bytes(shape, config, load, kept or roughly(shape)) if load else 0
    total = shape.total + added
    return Counts(config.method, trainable, total, tuple(matrices), flops, seconds, batch)


def disk_bytes(trainable: int, learned: int) -> int:
    """What a run writes at its most: three checkpoints while the third is written, of weights and
    two moments each; what is learned twice while it is replaced; and snapshots.
    """
    return FLOAT * (9 * trainable + 2 * learned) + SNAPSHOTS


def _matrices(shape: ModelShape, config: FinetuneConfig) -> list[MatrixCount]:
    def counted(p: Parameter, trained: int, rank: int = 0) -> MatrixCount:
        return MatrixCount(p.name, p.shape, p.layer, p.size, trained, rank)

    if config.method == "prompt":
        return []
    if config.method == "lora":
        ell, more = config.rank, int(config.dora)
        beside = lora_targets(shape, config)
        return [counted(p, ell * sum(p.shape) + more * p.shape[0], ell) for p in beside]
    chosen = shape.parameters if config.method == "full" else selected(shape, config.parts)
    return [counted(p, p.size) for p in chosen]


def _flops(
    shape: ModelShape, config: FinetuneConfig, matrices: list[MatrixCount], trainable: int
) -> float:
    """Two for each weight forward; backward two for each that learns, and two for each that the
    gradient passes on its way down."""
    # A table of embeddings is looked up, not multiplied, unless it is the head as well.
    used = shape.total - shape.looked_up
    passed = used
    if config.method == "selective":
        lowest = min((-1 if m.layer is None else m.layer for m in matrices), default=-1)
        names = {m.name for m in matrices}
        if names <= set(shape.head):
            passed = sum(p.size for p in shape.parameters if p.name in names)
        elif lowest > 0:
            below = (p for p in shape.parameters if p.layer is not None and p.layer < lowest)
            passed -= sum(p.size for p in below)
    added = 2.0 * trainable if config.method == "lora" else 0.0
    return 2.0 * used + 2.0 * passed + 2.0 * trainable + added
