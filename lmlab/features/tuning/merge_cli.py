"""``lmlab merge``: an adapter put into its base's weights, for use without lmlab and peft."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lmlab.terminal.naming import add_model, asked_ref
from lmlab.terminal.quiet import quiet, write_json

DTYPES = ("float32", "bfloat16", "float16")


def add_merge(commands: Any) -> None:
    """The parser of ``lmlab merge``."""
    command = commands.add_parser(
        "merge",
        help="put an adapter into its base’s weights",
        description="Writes a folder that transformers loads by itself: weights, tokenizer and "
        "generation config.",
    )
    add_model(command)
    command.add_argument("--out", type=Path, required=True, help="a new folder")
    command.add_argument("--dtype", choices=DTYPES, help="of the weights; default: the base’s own")
    command.add_argument("--gguf", type=Path, metavar="FILE", help="write a GGUF file as well")
    command.add_argument(
        "--llama-cpp", type=Path, metavar="DIR", help="llama.cpp’s folder, which makes GGUF files"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_merge)


def _merge(arguments: argparse.Namespace) -> None:
    quiet()
    from lmlab.models.gguf import convert, converter
    from lmlab.runs.model_store import ModelStore
    from lmlab.training.merging import check_free, merge

    # Before minutes of work: what is missing at its end.
    program = converter(arguments.llama_cpp) if arguments.gguf else None
    if arguments.gguf:
        check_free(arguments.gguf)
    ref = asked_ref(arguments)
    dtype = merge(ref, arguments.out, ModelStore(), arguments.dtype or "")
    if program:
        convert(arguments.out, arguments.gguf, program)
    if arguments.json:
        gguf = str(arguments.gguf) if program else None
        write_json({"model": str(ref), "folder": str(arguments.out), "dtype": dtype, "gguf": gguf})
        return
    sys.stdout.write(f"{arguments.out}\n")
    if program:
        sys.stdout.write(f"{arguments.gguf}\n")
