"""``lmlab deploy``: a copy of the page on a Hugging Face Space."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from lmlab.errors import InputError

LARGE = 5_000_000  # bytes; files from there on are listed one by one


def add_deploy(commands: Any) -> None:
    """Declare ``lmlab deploy``."""
    parser = commands.add_parser(
        "deploy",
        help="put a copy of the page on a Hugging Face Space",
        description="Send the page, the package and the embedded models to a Space. Log in first "
        "with `hf auth login`, or set HF_TOKEN.",
    )
    add = parser.add_argument
    add("--space", required=True, metavar="OWNER/NAME", help="made if there is none")
    add("--dry-run", action="store_true", help="list what would be sent and send nothing")
    add("--list", action="store_true", help="with --dry-run: every file")
    add("--private", action="store_true", help="a new Space that others do not see")
    add(
        "--set", action="append", default=[], metavar="LMLAB_…=VALUE",
        help="a setting of the page there; may be given several times",
    )  # fmt: skip
    add("--from", dest="root", type=Path, metavar="FOLDER", help="the checkout; default: this one")
    parser.set_defaults(run=_deploy)


def _deploy(arguments: argparse.Namespace) -> None:
    from lmlab.hosting import space

    variables = dict(_pair(text) for text in arguments.set)
    space.check(arguments.space, variables)
    root = arguments.root or Path(__file__).parents[2]
    what = space.parcel(root.resolve())
    for line in told(what, every=arguments.list):
        print(line)
    if arguments.dry_run:
        print(f"Nothing was sent to {arguments.space}.")
        return
    print(f"Sending to {arguments.space} …", flush=True)
    print(space.deploy(what, arguments.space, private=arguments.private, variables=variables))


def told(what: Any, *, every: bool = False) -> list[str]:
    """What is sent, by folder or, with ``every``, by file; then the sum."""
    if every:
        rows = list(what.files)
    else:
        sizes: Counter[str] = Counter()
        for path, size in what.files:
            parts = path.split("/")
            sizes["/".join(parts[:2]) if len(parts) > 2 else parts[0]] += size
        large = [(path, size) for path, size in what.files if size >= LARGE]
        rows = [*sorted(sizes.items()), *((f"  of it {path}", size) for path, size in large)]
    lines = [f"{size / 1e6:9.2f} MB  {path}" for path, size in rows]
    return [*lines, f"{what.n_bytes / 1e6:9.2f} MB  in {len(what.files):,} files"]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"‘{text[:60]}’ is no setting.", "Write LMLAB_NAME=VALUE.")
    return name.strip(), value.strip()
