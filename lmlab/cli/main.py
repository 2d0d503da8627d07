"""The command line: one command for each job; ``lmlab --help`` lists them.

Says what went wrong in one line on stderr and exits with status 2; ``--help`` imports no torch.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lmlab.cli.app import add_app
from lmlab.cli.deploy import add_deploy
from lmlab.cli.doctor import add_doctor
from lmlab.cli.get import add_get
from lmlab.cli.serve import add_serve
from lmlab.errors import LabError
from lmlab.features import features
from lmlab.settings import read_settings
from lmlab.terminal.quiet import write_json
from lmlab.version import __version__

USAGE_ERROR = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    try:
        arguments = _parser().parse_args(argv)
        status = arguments.run(arguments)
        sys.stdout.flush()
    except LabError as error:
        print(f"lmlab: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (``| head``); keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lmlab", description="See what a language model expects.")
    parser.add_argument("--version", action="version", version=f"lmlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for feature in features(read_settings().features):
        for where in feature.commands:
            feature.load(where)(commands)
    _add_models(commands)
    add_get(commands)
    add_doctor(commands)
    add_app(commands)
    add_serve(commands)
    add_deploy(commands)
    return parser


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="list the embedded models and adapters")
    models.add_argument("--json", action="store_true", help="print one JSON object")
    models.set_defaults(run=_models)


def _models(arguments: argparse.Namespace) -> None:
    from lmlab.runs.model_store import ModelStore

    store = ModelStore()
    if arguments.json:
        write_json({"models": store.embedded(), "adapters": store.embedded_adapters()})
        return
    for name in store.embedded():
        print(name)
    for name in store.embedded_adapters():
        print(f"base+{name}")


if __name__ == "__main__":
    sys.exit(main())
