"""Keeps what the libraries say out of a command's output."""

import json
import os
import sys
import warnings
from typing import Any

RECEIPT = "print a script of plain torch and transformers that gives the number again"


def quiet() -> None:
    """No progress bars, notes or warnings of transformers; call it before models are used."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    quiet_hub()
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def quiet_hub() -> None:
    """No progress bars of huggingface_hub; call it before that is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def say(note: str) -> None:
    """What a reader has to know, beside a command's output."""
    print(f"lmlab: note: {note}", file=sys.stderr)


def write_json(value: dict[str, Any]) -> None:
    """One object on one line of standard output."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, allow_nan=False) + "\n")
    sys.stdout.flush()
