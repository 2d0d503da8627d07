"""``lmlab scale`` and ``lmlab diff``: how large a model is, and what fine-tuning changed in it."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.scale import counts as scale
from lmlab.features.scale.counts import Shape
from lmlab.terminal.naming import ADAPTER, MODEL, add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet

if TYPE_CHECKING:
    from lmlab.features.change.changes import MatrixChange
    from lmlab.results.compared import Compared

SIZES = ("layers", "width", "heads", "vocab", "context")
MOST_ROWS = 40


def add_scale(commands: Any) -> None:
    """Declare ``lmlab scale``."""
    parser = commands.add_parser(
        "scale",
        help="parameters, memory and FLOPs of a model or of a shape",
        description="Count a decoder's parameters by part, from its shape alone.",
    )
    add = parser.add_argument
    add_model(parser, None, f"{MODEL}, instead of a shape", f"{ADAPTER}, counted by itself")
    add("--layers", type=int, help="L")
    add("--width", type=int, help="d, of the residual stream")
    add("--heads", type=int, help="of attention")
    add("--vocab", type=int, help="V, tokens")
    add("--context", type=int, help="n, positions")
    add("--ff-ratio", type=float, default=4.0, help="inner width of the feed-forward part, over d")
    add("--kv-heads", type=int, default=0, help="heads of keys and values; default: --heads")
    add("--tied", action=argparse.BooleanOptionalAction, default=True, help="head = embeddings")
    add("--biases", action=argparse.BooleanOptionalAction, default=True, help="on all matrices")
    add("--rotary", action="store_true", help="no table of positions")
    add("--gated", action="store_true", help="three feed-forward matrices, as in Llama")
    add("--rms", action="store_true", help="norms without a shift, as in Llama")
    add("--lora-rank", type=int, help="ℓ: count LoRA beside matrices of every layer")
    add(
        "--lora-targets",
        default="q,v",
        help="which: q, k, v, qkv, o, up, down, gate, between commas; default: q,v",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--receipt", action="store_true", help=f"of --model: {RECEIPT}")
    parser.set_defaults(run=_scale)


def add_diff(commands: Any) -> None:
    """Declare ``lmlab diff``."""
    parser = commands.add_parser(
        "diff",
        help="what fine-tuning changed in the weights",
        description="‖ΔW‖/‖W‖, singular values and ranks of every matrix that fine-tuning changed; "
        "with --text, how far the distributions moved on it.",
    )
    parser.add_argument("--base", default="base", help="embedded name, folder or Hub id")
    parser.add_argument("--tuned", required=True, help="what was made from it, as base+qa")
    parser.add_argument("--text", help="a text that both models score")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--receipt", action="store_true", help=f"of the matrix that changed most: {RECEIPT}"
    )
    parser.set_defaults(run=_diff)


def _scale(arguments: argparse.Namespace) -> None:
    if (arguments.receipt or arguments.adapter) and not arguments.model:
        asked = "A receipt counts" if arguments.receipt else "An adapter stands on"
        raise InputError(f"{asked} a model.", "Name one with --model.")
    model = str(asked_ref(arguments)) if arguments.model else None
    shape, added = _counted(model) if model else (_shape(arguments), None)
    found = {
        "model": model,
        "shape": asdict(shape),
        "parts": [asdict(part) | {"total": part.total} for part in scale.parts(shape)],
        "parameters": scale.parameters(shape),
        "adapter": added,
        "non_embedding": scale.non_embedding(shape),
        "bytes": {
            dtype: scale.weights_bytes(scale.parameters(shape), dtype) for dtype in scale.BYTES
        },
        "cache_bytes_per_token": scale.cache_bytes(shape, 1, "float16"),
        "training_flops_per_token": scale.training_flops(scale.parameters(shape), 1),
        "lora": _lora(shape, arguments),
    }
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    elif arguments.receipt:
        from lmlab.features.scale.receipt import parameters

        print(parameters(str(model), scale.parameters(shape), added), end="")
    else:
        _print_scale(shape, found)


def _shape(arguments: argparse.Namespace) -> Shape:
    if missing := [name for name in SIZES if getattr(arguments, name) is None]:
        raise InputError(
            f"A shape needs --{missing[0]}.", f"It is given by --{', --'.join(SIZES)}; or --model."
        )
    return Shape(
        layers=arguments.layers,
        width=arguments.width,
        heads=arguments.heads,
        vocabulary=arguments.vocab,
        context=arguments.context,
        feed_forward=round(arguments.width * arguments.ff_ratio),
        kv_heads=arguments.kv_heads,
        tied=arguments.tied,
        positions="none" if arguments.rotary else "learned",
        gated=arguments.gated,
        norm="rms" if arguments.rms else "layer",
        attention_biases=arguments.biases,
        output_bias=arguments.biases,
        feed_forward_biases=arguments.biases,
    )


def _counted(name: str) -> tuple[Shape, int | None]:
    """A model's shape, from its config alone: no weights of it are read; and its adapter's size."""
    quiet()
    from lmlab.lab import Lab

    scaling = Lab.open().scaling
    return scaling.shape(name), scaling.added(name)


def _lora(shape: Shape, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """LoRA by matrix, where a rank was given."""
    if arguments.lora_rank is None:
        return None
    targets = tuple(name.strip() for name in arguments.lora_targets.split(",") if name.strip())
    if not targets:
        raise InputError("No matrix gets LoRA.", "Name one at least, as --lora-targets q,v.")
    matrices = scale.lora(shape, arguments.lora_rank, targets)
    return {
        "rank": arguments.lora_rank,
        "matrices": [asdict(one) | {"own": one.own, "added": one.added} for one in matrices],
        "added": sum(one.added for one in matrices),
    }


def _print_scale(shape: Shape, found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("part", "formula", "each", "times", "parameters", box=None, header_style="dim")
    for part in scale.parts(shape):
        table.add_row(
            part.name, part.formula, f"{part.each:,}", f"{part.times:,}", f"{part.total:,}"
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{found['parameters']:,} parameters", style="bold")
    if found["adapter"] is not None:
        share = 100 * found["adapter"] / found["parameters"]
        console.print(f"{found['adapter']:,} more in the adapter: {share:.3g} %", style="bold")
    memory = ", ".join(f"{dtype} {_bytes(size)}" for dtype, size in found["bytes"].items())
    console.print(f"weights: {memory}")
    console.print(f"keys and values: {_bytes(found['cache_bytes_per_token'])} a token in float16")
    console.print(f"training: {found['training_flops_per_token']:.3g} FLOPs a token (6·N)")
    if found["lora"]:
        _print_lora(found["lora"], found["parameters"])


def _print_lora(lora: dict[str, Any], total: int) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ("LoRA beside", "d × k", "d·k", "ℓ(d + k)", "layers", "all")
    table = Table(*names, box=None, header_style="dim")
    for one in lora["matrices"]:
        times, d, k = one["times"], one["d"], one["k"]
        each = f"{one['added'] // times:,}"
        table.add_row(
            one["name"], f"{d:,} × {k:,}", f"{d * k:,}", each, f"{times:,}", f"{one['added']:,}"
        )
    console = Console(highlight=False)
    console.print()
    console.print(table)
    share = 100 * lora["added"] / total
    console.print(f"\n{lora['added']:,} learn at rank {lora['rank']}: {share:.3g} %", style="bold")


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _diff(arguments: argparse.Namespace) -> None:
    quiet()
    from lmlab.features.change.weight_change import iter_changes
    from lmlab.models.store import ModelRef, ModelStore
    from lmlab.scoring.comparison import compare

    refs = [ModelRef.parse(name) for name in (arguments.base, arguments.tuned)]
    with ModelStore().borrow_all(refs) as (base, tuned):
        changes = list(iter_changes(base, tuned))
        compared = compare(base, tuned, arguments.text) if arguments.text else None
    if arguments.json:
        print(json.dumps(_diff_dict(arguments, changes, compared), ensure_ascii=False))
    elif arguments.receipt:
        from lmlab.features.change.receipt import matrix

        if not changes:
            raise InputError("No matrix differs.")
        most = max(changes, key=lambda change: change.relative)
        print(matrix(arguments.base, arguments.tuned, most), end="")
    else:
        _print_diff(changes, compared)


def _diff_dict(
    arguments: argparse.Namespace, changes: "Sequence[MatrixChange]", compared: "Compared | None"
) -> dict[str, Any]:
    ranks = ("relative", "effective_rank", "stable_rank")
    return {
        "base": arguments.base,
        "tuned": arguments.tuned,
        "matrices": [asdict(c) | {name: getattr(c, name) for name in ranks} for c in changes],
        "text": compared.to_dict() if compared else None,
    }


def _print_diff(changes: "Sequence[MatrixChange]", compared: "Compared | None") -> None:
    from rich.console import Console
    from rich.table import Table

    from lmlab.terminal.listing import print_compared

    names = ("d × k", "‖ΔW‖/‖W‖", "ℓ", "effective rank", "stable rank")
    table = Table(box=None, header_style="dim")
    table.add_column("matrix", no_wrap=True)
    for name in names:
        table.add_column(name)
    ordered = sorted(changes, key=lambda change: -change.relative)
    for change in ordered[:MOST_ROWS]:
        values = [f"{change.effective_rank:.1f}", f"{change.stable_rank:.1f}"]
        table.add_row(
            change.name,
            " × ".join(map(str, change.shape)),
            f"{change.relative:.4f}",
            str(change.rank or "–"),
            *(values if change.singular_values else ("–", "–")),
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    if len(ordered) > MOST_ROWS:
        console.print(f"… and {len(ordered) - MOST_ROWS} more; --json has all of them")
    if not ordered:
        console.print("No matrix differs.")
    if compared:
        console.print()
        print_compared(compared)
