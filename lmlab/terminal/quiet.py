"""Keeps what the libraries say out of a command's output."""

import os
import warnings

RECEIPT = "print a script of plain torch and transformers that gives the number again"


def quiet() -> None:
    """No progress bars, notes or warnings of transformers; call it before models are used."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
