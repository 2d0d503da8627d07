"""How many parameters a method trains, and what that costs; from a model's shape alone, no torch.

The lecture's count: a matrix W of d × k has d·k parameters, its LoRA V·U has ℓ(d + k).
"""

from dataclasses import dataclass

from lmlab.training.config import FinetuneConfig
from lmlab.training.memory import KeptBytes, Load, activation_bytes, roughly
from lmlab.training.shapes import ModelShape, Parameter, lora_targets, selected

FLOAT = 4  # bytes of a trainable number, of its gradient, and of each of AdamW's two moments
SNAPSHOTS = 100_000_000  # bytes of all snapshots of a run together, at most


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
    # the trained ones, or those with LoRA beside them, in the model's order
    matrices: tuple[MatrixCount, ...]
    weights_bytes: int  # of the model in memory
    gradient_bytes: int  # of the gradients
    optimiser_bytes: int  # of AdamW's two moments
    flops_per_token: float  # of one training step, forward and backward
    seconds: float | None = None  # that all steps will take; None while no speed is known
    # of the longest batch, its logits included; 0 where no batch is known
    activation_bytes: int = 0

    @property
    def share(self) -> float:
        """Trainable of total."""
        return self.trainable / self.total

    @property
    def memory_bytes(self) -> int:
        """Weights, gradients, optimiser and activations together."""
        fixed = self.weights_bytes + self.gradient_bytes + self.optimiser_bytes
        return fixed + self.activation_bytes

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
        shape: of the model.
        config: the method.
        row_tokens: mean length of a row.
        flops_per_second: what the machine does, for the estimate of the time.
        load: the longest batch, for the estimate of the memory.
        kept: what a row of it keeps; a rough guess where it is not given.

    Raises:
        InputError: a target or a part that matches nothing; a rank above a matrix's.
    """
    matrices = _matrices(shape, config)
    added = sum(m.trained for m in matrices) if config.method == "lora" else 0
    soft = config.soft * shape.hidden
    trainable = soft + sum(m.trained for m in matrices)
    flops = _flops(shape, config, matrices, trainable)
    tokens = config.steps * config.batch_size * config.accumulation * (row_tokens + config.soft)
    known = bool(flops_per_second and row_tokens)
    return Counts(
        method=config.method,
        trainable=trainable,
        total=shape.total + added + soft,
        matrices=tuple(matrices),
        weights_bytes=(shape.total + added + soft) * FLOAT,
        gradient_bytes=trainable * FLOAT,
        optimiser_bytes=trainable * 2 * FLOAT,
        flops_per_token=flops,
        seconds=tokens * flops / (flops_per_second or 1.0) if known else None,
        activation_bytes=(
            activation_bytes(shape, config, load, kept or roughly(shape)) if load else 0
        ),
    )


def disk_bytes(trainable: int, learned: int) -> int:
    """What a run writes at its most: three checkpoints while the third is written, of weights and
    two moments each; what is learned twice while it is replaced; and snapshots.
    """
    return FLOAT * (9 * trainable + 2 * learned) + SNAPSHOTS


def _matrices(shape: ModelShape, config: FinetuneConfig) -> list[MatrixCount]:
    if config.method == "prompt":
        return []
    if config.method == "lora":
        return [_beside(p, config) for p in lora_targets(shape, config)]
    chosen = shape.parameters if config.method == "full" else selected(shape, config.parts)
    return [MatrixCount(p.name, p.shape, p.layer, p.size, p.size) for p in chosen]


def _beside(p: Parameter, config: FinetuneConfig) -> MatrixCount:
    d, k = p.shape
    extra = d if config.dora else 0
    return MatrixCount(p.name, p.shape, p.layer, p.size, config.rank * (d + k) + extra, config.rank)


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
