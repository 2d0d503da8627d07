"""``lmlab deploy``: a copy of the page on a Hugging Face Space."""

import argparse
import os
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
        description="Send the page, the package and the embedded models to a Space, after a "
        "look at the account, the names and the size. Log in first with "
        "`hf auth login`, or set HF_TOKEN.",
    )
    add = parser.add_argument
    add("--space", required=True, metavar="OWNER/NAME", help="made if there is none")
    add("--dry-run", action="store_true", help="say what it costs and would send; send nothing")
    add("--list", action="store_true", help="with --dry-run: every file")
    add(
        "--hardware", default="", metavar="NAME",
        help="as the Hub calls it: cpu-basic, t4-small, …; default: zero-a10g, which is ZeroGPU",
    )  # fmt: skip
    add("--private", action="store_true", help="a new Space that others do not see")
    add(
        "--set", action="append", default=[], metavar="LMLAB_…=VALUE",
        help="a setting of the page there; may be given several times",
    )  # fmt: skip
    add(
        "--secret", action="append", default=[], metavar="NAME",
        help="a secret of the Space, its value that of this variable here; may be given several "
        "times",
    )  # fmt: skip
    add("--bucket", default="", metavar="OWNER/NAME", help="keeps runs; made if there is none")
    add("--replace", action="store_true", help="have a Space that is something else become this")
    add("--rebuild", action="store_true", help="start it from nothing, its packages included")
    add("--from", dest="root", type=Path, metavar="FOLDER", help="the checkout; default: this one")
    parser.set_defaults(run=_deploy)


def _deploy(arguments: argparse.Namespace) -> None:
    from lmlab.hosting import deploying, hub_offers, space

    plan = deploying.Plan(
        arguments.space,
        hardware=arguments.hardware.strip(),
        private=arguments.private,
        variables=dict(_pair(text) for text in arguments.set),
        secrets={name: _secret(name) for name in arguments.secret},
        bucket=arguments.bucket.strip(),
        replace=arguments.replace,
        rebuild=arguments.rebuild,
    )
    root = arguments.root or Path(__file__).parents[2]
    what = space.parcel(root.resolve())
    deploying.check(plan, what)
    costs = hub_offers.costs(plan.hardware or hub_offers.ZERO, plan.bucket)
    for line in [*told(what, every=arguments.list), *costs]:
        print(line)
    if arguments.dry_run:
        for line in deploying.looked(plan):
            print(line)
        print(f"Nothing was sent to {plan.space}.")
        return
    print(f"Sending to {plan.space} …", flush=True)
    print(deploying.deploy(what, plan))


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


def _secret(name: str) -> str:
    if not os.environ.get(name):
        raise InputError(
            f"There is no variable ‘{name[:60]}’ here.", f"Set it: export {name[:60]}=…"
        )
    return os.environ[name]
