"""``lmlab languages``. Imports models on use alone."""

import argparse
import sys
from typing import Any

from lmlab.features.languages import counted
from lmlab.progress import Loading, Progress
from lmlab.terminal.quiet import RECEIPT, quiet, write_json


def add_languages(commands: Any) -> None:
    """Declare ``lmlab languages``."""
    parser = commands.add_parser(
        "languages",
        help="what one sentence costs in tokens, by language and tokenizer",
        description="Sentences through tokenizers; of a model of the Hub its tokenizer is fetched.",
    )
    parser.add_argument(
        "--tokenizer", action="append", default=[], metavar="MODEL",
        help="embedded name, folder or Hub id, or ‘bytes’; may be repeated; default: base, bytes",
    )  # fmt: skip
    parser.add_argument(
        "--text", action="append", default=[], metavar="NAME: SENTENCE",
        help="may be repeated, the first one is compared with; default: one in ten languages",
    )  # fmt: skip
    parser.add_argument("--model", default="", help="whose bits per byte are told, too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--csv", action="store_true", help="print a row a sentence and tokenizer")
    form.add_argument("--receipt", action="store_true", help=f"of the first tokenizer: {RECEIPT}")
    parser.set_defaults(run=_languages)


def _languages(arguments: argparse.Namespace) -> None:
    from lmlab.features.languages import views
    from lmlab.features.languages.service import Languages
    from lmlab.lab import Lab

    quiet()
    asked = arguments.tokenizer or ["base", "bytes"]
    names = [counted.BYTES if one == "bytes" else one for one in asked]
    sentences = counted.parse("\n".join(arguments.text) or counted.lines(counted.shipped()))
    events = Lab.open().service(Languages).count(names, sentences, arguments.model)
    found = [event for event in events if not isinstance(event, Loading | Progress)]
    if arguments.json:
        write_json({"rows": counted.rows_of(found)})
    elif arguments.csv:
        sys.stdout.write(views.to_csv(found))
    elif arguments.receipt:
        sys.stdout.write(views.receipt(found))
    else:
        _print(found)


def _print(found: list[counted.Counted]) -> None:
    from rich.table import Table
    from rich.text import Text

    from lmlab.terminal.listing import plain_console, visible_text

    for one in found:
        heads = ("", "tokens", "bytes a token", "of the context", "price", "bits per byte")
        table = Table(*heads, box=None, header_style="dim", title=Text(one.tokenizer))
        for row in one.rows:
            share, bits = one.share(row), row.bits_per_byte
            table.add_row(
                Text(visible_text(row.language)), f"{row.tokens:,}", f"{row.bytes_per_token:.2f}",
                "–" if share is None else f"{share:.2%}", f"{one.price(row):.2f} ×",
                "–" if bits is None else f"{bits:.2f}",
            )  # fmt: skip
        plain_console().print(table)
