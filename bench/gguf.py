"""Completion of a GGUF file through lmlab, top-10, rank and entropy of each step told, against
llama-cpp-python alone, which tells nothing of its steps.

    python -m bench.gguf [--model FILE] [--rounds N] [--tokens N] [--threads N]

Both are greedy, with as many threads. The file is by default the one that ``make real`` fetches.
The time of a busy machine says little: the last column is processor time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.scoring import text_of
from lmlab.api import load
from lmlab.generation.complete import generate, prompt_ids
from lmlab.generation.config import GenerateConfig
from lmlab.settings import Settings

FILE = Path(__file__).parent.parent / ".real" / "SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPT = 64


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, default=FILE)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    console = Console()
    if find_spec("llama_cpp") is None:
        console.print("Skipped: llama-cpp-python is not installed (pip install 'lmlab[gguf]').")
    elif not arguments.model.is_file():
        console.print(f"Skipped: there is no {arguments.model}; make real fetches it.")
    else:
        asked = (arguments.model, arguments.rounds, arguments.tokens, arguments.threads)
        console.print(_completion(*asked))


def _completion(file: Path, rounds: int, tokens: int, threads: int | None) -> Table:
    from llama_cpp import Llama

    lm: Any = load(f"gguf:{file}", Settings(device="cpu", threads=threads))
    threads = lm.engine.threads
    alone = Llama(str(file), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)
    prompt = text_of(PROMPT)
    ids = prompt_ids(lm, prompt)
    config = GenerateConfig(temperature=0, max_new_tokens=tokens)
    jobs: dict[str, Callable[[], int]] = {
        "llama-cpp-python alone": lambda: _alone(alone, ids, tokens),
        "lmlab, with top-10 and entropy of each step": lambda: len(
            list(generate(lm, prompt, config))
        ),
    }
    table = Table("", "tokens a second", "ratio", "processor time, ratio", title=file.name)
    wall, own = _alternated(jobs, rounds)
    first = next(iter(jobs))
    for name in jobs:
        table.add_row(
            name, f"{1 / wall[name]:.1f}", f"{wall[first] / wall[name]:.3f}",
            f"{own[first] / own[name]:.3f}",
        )  # fmt: skip
    alone.close()
    return table


def _alone(llama: Any, ids: list[int], tokens: int) -> int:
    llama.reset()
    drawn = llama.generate(ids, temp=0)
    for _ in range(tokens):
        next(drawn)
    return tokens


def _alternated(
    jobs: dict[str, Callable[[], int]], rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Medians of seconds a token, by the clock and of the processor, after one round to warm up."""
    wall: dict[str, list[float]] = {name: [] for name in jobs}
    own: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            began, spent = time.perf_counter(), time.process_time()
            tokens = job()
            if turn:
                wall[name].append((time.perf_counter() - began) / tokens)
                own[name].append((time.process_time() - spent) / tokens)
    return (
        {name: statistics.median(values) for name, values in wall.items()},
        {name: statistics.median(values) for name, values in own.items()},
    )


if __name__ == "__main__":
    main()
