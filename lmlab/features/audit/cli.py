"""``lmlab audit``. Imports models on use alone."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmlab.terminal.naming import add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet, write_json
from lmlab.terminal.tables import text_of
from lmlab.terminal.watched import borrowed, counting

MOST = 100_000  # tokens


def add_audit(commands: Any) -> None:
    """Declare ``lmlab audit``."""
    audit = commands.add_parser(
        "audit",
        help="the perplexity of a text under every convention in use",
        description="One text and one model, every convention at once: start token, windows, "
        "units, several texts; who reports it so.",
    )
    source = audit.add_mutually_exclusive_group(required=True)
    source.add_argument("--text")
    source.add_argument("--file", type=Path, help="a UTF-8 file that holds the text")
    add_model(audit)
    audit.add_argument("--context", type=int, help="tokens read at once, at most")
    form = audit.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    audit.set_defaults(run=_audit)


def _audit(arguments: argparse.Namespace) -> None:
    from lmlab.features.audit.auditing import iter_audit
    from lmlab.features.audit.receipt import receipt
    from lmlab.features.audit.results import Audit
    from lmlab.models.model import narrowed

    text = text_of(arguments.file, "The text") if arguments.text is None else arguments.text
    quiet()
    with borrowed([asked_ref(arguments)]) as (lm,), counting("tokens") as tell:
        for event in iter_audit(narrowed(lm, arguments.context), text, MOST):
            if isinstance(event, Audit):
                found = event
            else:
                tell("reading", event.done, event.total)
    if arguments.receipt:
        sys.stdout.write(receipt(found))
    elif arguments.json:
        write_json(_json(found))
    else:
        _print(found)


def _json(found: Any) -> dict[str, Any]:
    rows = []
    for row in found.rows:
        told = {**asdict(row), "value": row.value}
        rows.append({key: None if value != value else value for key, value in told.items()})
    named = {"model": found.model, "context": found.context, "tokens": found.n_tokens}
    return {**named, "rows": rows, "notes": list(found.notes)}


def _print(found: Any) -> None:
    from lmlab.features.audit.views import away, number, told

    print(f"{found.model}: {found.n_tokens:,} tokens, {found.context:,} read at once")
    for row in found.rows:
        who = ", ".join(library for library, _ in row.who)
        why = row.missing or (told(row, found) if row is not found.rows[0] else "")
        name = f"{row.group}: {row.name}" if row.group else row.name
        print(f"{number(row):>14} {row.unit:16} {away(row, found):>10}  {name}")
        if note := "; ".join(filter(None, (why, who))):
            print(f"{'':43}{note}")
