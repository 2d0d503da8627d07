"""The command line: one command for each job; ``lmlab --help`` lists them.

Says what went wrong in one line on stderr and exits with status 2; ``--help`` imports no torch.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lmlab import __version__
from lmlab.cli.app import add_app
from lmlab.cli.deploy import add_deploy
from lmlab.cli.evaluate import add_evaluate
from lmlab.cli.finetune import add_finetune
from lmlab.cli.generate import add_compare, add_generate
from lmlab.cli.naming import add_model, asked_ref
from lmlab.cli.pretrain import add_pretrain
from lmlab.cli.prompt import add_prompt
from lmlab.cli.quiet import RECEIPT, quiet
from lmlab.cli.runs import add_runs
from lmlab.cli.scale import add_diff, add_scale
from lmlab.errors import InputError, LabError

if TYPE_CHECKING:
    from lmlab.results.scored import Scored

USAGE_ERROR = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lmlab", description="See what a language model expects.")
    parser.add_argument("--version", action="version", version=f"lmlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_score(commands)
    add_generate(commands)
    add_compare(commands)
    add_prompt(commands)
    add_evaluate(commands)
    add_finetune(commands)
    add_pretrain(commands)
    add_runs(commands)
    add_diff(commands)
    add_scale(commands)
    _add_models(commands)
    add_app(commands)
    add_deploy(commands)
    return parser


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="log-likelihood and perplexity of a text, token by token",
        description="Score a text: natural logarithms in JSON, bits in the coloured strip.",
    )
    source = score.add_mutually_exclusive_group()
    source.add_argument("--text", help="the text; default: standard input")
    source.add_argument("--file", type=Path, help="a UTF-8 file that holds the text")
    add_model(score)
    score.add_argument("--prefix", default="", help="what the text is conditioned on")
    score.add_argument("--windows", choices=["disjoint", "sliding"], default="sliding")
    score.add_argument("--stride", type=int, help="of sliding windows; default: half the context")
    score.add_argument("--top-k", type=int, default=10, help="alternatives for each token")
    score.add_argument("--bos", choices=["tokenizer", "always", "never"], default="tokenizer")
    form = score.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    score.set_defaults(run=_score)


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="list the embedded models and adapters")
    models.add_argument("--json", action="store_true", help="print one JSON object")
    models.set_defaults(run=_models)


def _score(arguments: argparse.Namespace) -> None:
    text = _read_text(arguments)
    if not text:
        raise InputError("There is no text to score.", "Type at least one character.")
    quiet()
    from lmlab.models.store import ModelStore
    from lmlab.scoring.score import score

    with ModelStore().borrow(asked_ref(arguments)) as lm:
        scored = score(
            lm,
            text,
            prefix=arguments.prefix,
            top_k=arguments.top_k,
            bos=arguments.bos,
            windows=arguments.windows,
            stride=arguments.stride,
        )
    if arguments.json:
        _print_json(scored.to_dict())
    elif arguments.receipt:
        from lmlab.receipts.texts import likelihood

        sys.stdout.write(likelihood(scored))
    else:
        _print_strip(scored)


def _models(arguments: argparse.Namespace) -> None:
    from lmlab.models.store import ModelStore

    store = ModelStore()
    if arguments.json:
        _print_json({"models": store.embedded(), "adapters": store.embedded_adapters()})
        return
    for name in store.embedded():
        print(name)
    for name in store.embedded_adapters():
        print(f"base+{name}")


def _read_text(arguments: argparse.Namespace) -> str:
    """The text exactly as given, line ends included."""
    if arguments.text is not None:
        return str(arguments.text)
    try:
        data = arguments.file.read_bytes() if arguments.file else sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"{arguments.file} cannot be read: {error.strerror}.") from error
    try:
        return str(data.decode())
    except UnicodeDecodeError as error:
        raise InputError(
            f"The text is not UTF-8 (byte {error.start + 1}).", "Convert it to UTF-8."
        ) from error


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=not _speaks_utf8(), allow_nan=False) + "\n")


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _print_strip(scored: "Scored") -> None:
    from lmlab.cli.terminal import print_scored

    print_scored(scored)


if __name__ == "__main__":
    sys.exit(main())
