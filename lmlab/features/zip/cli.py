"""``lmlab zip`` and ``lmlab unzip``. Imports models on use alone."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError, disk_error
from lmlab.terminal.naming import add_model, asked_ref
from lmlab.terminal.quiet import quiet, say
from lmlab.terminal.watched import borrowed, counting

if TYPE_CHECKING:
    from lmlab.models.model import LM
    from lmlab.models.refs import ModelRef

ENDING = ".lmz"


def add_zip(commands: Any) -> None:
    """Declare ``lmlab zip``."""
    command = commands.add_parser(
        "zip",
        help="a file as small as a model finds it likely",
        description="Code a file by a model's probabilities, at the speed of completion. Only the "
        "same model on the same machine and versions reads it again.",
    )
    _add_files(command, f"the file to write, - for standard output; default: FILE{ENDING}")
    add_model(command)
    command.add_argument(
        "--size", action="store_true", help="only say how large the code will be, from a score"
    )
    command.set_defaults(run=_zip)


def add_unzip(commands: Any) -> None:
    """Declare ``lmlab unzip``."""
    command = commands.add_parser("unzip", help="a file that lmlab zip made, as it was")
    _add_files(command, f"the file to write, - for standard output; default: without {ENDING}")
    add_model(command, None, "the model that made it; default: the one that the file names")
    command.set_defaults(run=_unzip)


def _add_files(command: Any, output: str) -> None:
    command.add_argument("file", help="the file to read, - for standard input")
    command.add_argument("-o", "--output", help=output)
    command.add_argument("--force", action="store_true", help="write over a file that is there")


def _zip(arguments: argparse.Namespace) -> None:
    from lmlab.features.zip.archive import check_size, pack

    content = _read(arguments.file)
    check_size(content)
    output = "" if arguments.size else _output(arguments, arguments.file + ENDING)
    quiet()
    with borrowed([asked_ref(arguments)]) as (lm,):
        told = f"about {_expected(lm, content):,.0f} bytes of code, and a header,"
        say(f"{told} are to be expected for {len(content):,}.")
        if arguments.size:
            return
        with counting("tokens") as tell:
            for event in pack(lm, content):
                if isinstance(event, bytes):
                    file = event
                else:
                    tell("coding", event.done, event.total)
    _write(output, file)
    share = 8 * len(file) / len(content)
    say(f"{len(content):,} bytes are {len(file):,} now, {share:.2f} bits a byte.")


def _expected(lm: "LM", content: bytes) -> float:
    """Bytes of the code, from the score of what is text in it; all else is a byte a byte."""
    import math

    from lmlab.scoring.score import iter_scores
    from lmlab.scoring.scored import Scored

    text = content.decode(errors="ignore")
    lost = len(content) - len(text.encode())
    if not text:
        return lost
    with counting("tokens") as tell:
        for event in iter_scores(lm, [text], top_k=0):
            if isinstance(event, Scored):
                return min(len(content), lost - event.logprob / math.log(2) / 8)
            tell("scoring", event.done, event.total)
    raise AssertionError


def _unzip(arguments: argparse.Namespace) -> None:
    from lmlab.features.zip.archive import checked, opened, unpack

    header, code = opened(_read(arguments.file))
    whole = arguments.file.removesuffix(ENDING)
    output = _output(arguments, whole if whole != arguments.file else f"{whole}.out")
    if not header.coded:
        return _write(output, checked(header, code))
    quiet()
    content = bytearray()
    with borrowed([_ref(arguments, header.model)]) as (lm,), counting("tokens") as tell:
        for done, data in enumerate(unpack(lm, header, code), 1):
            content += data
            tell("decoding", done, header.n_symbols)
    return _write(output, bytes(content))


def _ref(arguments: argparse.Namespace, named: str) -> "ModelRef":
    """The model that is asked for, else the one that a file names: nothing is fetched, and no
    folder opened, because a stranger's file says so."""
    from lmlab.models.refs import ModelRef
    from lmlab.runs.model_store import ModelStore

    ref = ModelRef.parse(arguments.model or named).with_adapter(arguments.adapter)
    if not arguments.model and not ModelStore().ships(ref):
        raise InputError(f"The file was made with ‘{named[:200]}’.", "Name that model: --model.")
    return ref


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "it is no file's name"
        raise InputError(f"{name[:200]} cannot be read: {why}.") from None


def _output(arguments: argparse.Namespace, otherwise: str) -> str:
    """Where the result goes; looked at before the work, not after."""
    output: str = arguments.output or ("-" if arguments.file == "-" else otherwise)
    if output != "-" and Path(output).exists() and not arguments.force:
        raise InputError(f"‘{output}’ is there already.", "Name another with -o, or use --force.")
    return output


def _write(name: str, content: bytes) -> None:
    if name == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise disk_error(error) or InputError(f"{name} cannot be written.") from error
