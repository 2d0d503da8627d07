"""A model's folder as one GGUF file, by llama.cpp's own converter, where that is there."""

import shutil
import subprocess
import sys
from pathlib import Path

from lmlab.errors import InputError

CONVERTER = "convert_hf_to_gguf.py"


def converter(llama_cpp: Path | None) -> Path:
    """llama.cpp's converter: in its folder, or on the PATH.

    Raises:
        InputError: it is not there; says what is missing.
    """
    found = llama_cpp / CONVERTER if llama_cpp else Path(shutil.which(CONVERTER) or "")
    if not found.is_file():
        where = f"in ‘{llama_cpp}’" if llama_cpp else "on the PATH"
        raise InputError(
            f"GGUF files are made by llama.cpp’s {CONVERTER}, which is not {where}.",
            "Get llama.cpp from github.com/ggml-org/llama.cpp and name its folder with "
            "--llama-cpp; or leave --gguf out.",
        )
    return found


def convert(folder: Path, file: Path, program: Path) -> None:
    """Write a GGUF file in the folder's own number format.

    Raises:
        InputError: the converter gives up; with its last line, which says what is missing.
    """
    asked = [sys.executable, str(program), str(folder), "--outfile", str(file)]
    done = subprocess.run(
        [*asked, "--outtype", "auto"], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode or not file.is_file():
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it says nothing"]
        raise InputError(
            f"llama.cpp’s converter made no GGUF file: {lines[-1].strip()[:300]}",
            f"The merged model is in ‘{folder}’. The converter’s own needs stand in llama.cpp’s "
            "requirements.txt.",
        )
