"""``lmlab diff``: what fine-tuning changed in a model's weights."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.terminal.quiet import RECEIPT, quiet
from lmlab.terminal.watched import borrowed

if TYPE_CHECKING:
    from lmlab.features.change.changes import MatrixChange
    from lmlab.scoring.compared import Compared

MOST_ROWS = 40


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


def _diff(arguments: argparse.Namespace) -> None:
    quiet()
    from lmlab.features.change.weight_change import iter_changes
    from lmlab.runs.model_store import ModelRef
    from lmlab.scoring.comparison import compare

    refs = [ModelRef.parse(name) for name in (arguments.base, arguments.tuned)]
    with borrowed(refs) as (base, tuned):
        changes = list(iter_changes(base, tuned))
        compared = compare(base, tuned, arguments.text) if arguments.text else None
    if arguments.json:
        ranks = ("relative", "effective_rank", "stable_rank")
        found = {
            "base": arguments.base,
            "tuned": arguments.tuned,
            "matrices": [asdict(c) | {name: getattr(c, name) for name in ranks} for c in changes],
            "text": compared.to_dict() if compared else None,
        }
        print(json.dumps(found, ensure_ascii=False))
    elif arguments.receipt:
        from lmlab.features.change.receipt_notes import matrix

        if not changes:
            raise InputError("No matrix differs.")
        most = max(changes, key=lambda change: change.relative)
        print(matrix(arguments.base, arguments.tuned, most), end="")
    else:
        _print(changes, compared)


def _print(changes: "Sequence[MatrixChange]", compared: "Compared | None") -> None:
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
