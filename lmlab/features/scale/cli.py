"""``lmlab scale``: how large a model is."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from lmlab.errors import InputError
from lmlab.features.scale import counts as scale
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.service import Scaling
from lmlab.terminal.naming import ADAPTER, MODEL, add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet

SIZES = ("layers", "width", "heads", "vocab", "context")


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
        from lmlab.features.scale.receipt_notes import parameters

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

    scaling = Lab.open().service(Scaling)
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

    from lmlab.features.scale.amounts import size

    console, total = Console(highlight=False), found["parameters"]

    def table(*head: str) -> Table:
        return Table(*head, box=None, header_style="dim")

    parts = table("part", "formula", "each", "times", "parameters")
    for part in scale.parts(shape):
        numbers = (f"{number:,}" for number in (part.each, part.times, part.total))
        parts.add_row(part.name, part.formula, *numbers)
    console.print(parts)
    console.print(f"\n{total:,} parameters", style="bold")
    if found["adapter"] is not None:
        share = 100 * found["adapter"] / total
        console.print(f"{found['adapter']:,} more in the adapter: {share:.3g} %", style="bold")
    memory = ", ".join(f"{dtype} {size(number)}" for dtype, number in found["bytes"].items())
    console.print(f"weights: {memory}")
    console.print(f"keys and values: {size(found['cache_bytes_per_token'])} a token in float16")
    console.print(f"training: {found['training_flops_per_token']:.3g} FLOPs a token (6·N)")
    if not (lora := found["lora"]):
        return
    matrices = table("LoRA beside", "d × k", "d·k", "ℓ(d + k)", "layers", "all")
    for one in lora["matrices"]:
        d, k, times, added = one["d"], one["k"], one["times"], one["added"]
        numbers = (f"{number:,}" for number in (d * k, added // times, times, added))
        matrices.add_row(one["name"], f"{d:,} × {k:,}", *numbers)
    console.print()
    console.print(matrices)
    share = 100 * lora["added"] / total
    console.print(f"\n{lora['added']:,} learn at rank {lora['rank']}: {share:.3g} %", style="bold")
