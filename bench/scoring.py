"""Scoring against the bare forward pass and against peers, on folders of real shapes.

    python -m bench.scoring [--rounds N] [--peers] [--only NAME]

Every ratio is to ``model(ids, use_cache=False)`` on the same ids in the same run. Peers
(lm-evaluation-harness, evaluate, minicons) need ``pip install -e '.[bench]'``.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from bench import models, peers
from bench.timing import Job, alternate, peak_megabytes
from lmlab.api import load
from lmlab.models.model import LM
from lmlab.scoring.score import score, score_many

SHAPES: dict[str, tuple[Callable[[Path], Path], int]] = {
    "10 M, 1×512": (models.ten_million, 512),
    "GPT-2 124 M, 1×1024": (models.gpt2, 1024),
    "V = 151,936, 1×512": (models.wide_vocabulary, 512),
}
LONG = 16_384
SENTENCE = "The little dog ran over the hill and saw a big red ball in the grass. "


def main() -> None:
    """Print one table for each question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peers", action="store_true", help="measure the other libraries too")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    arguments = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, length) in SHAPES.items():
            if arguments.only in name:
                path = make(Path(folder) / name)
                console.print(_one_text(name, path, length, arguments.rounds, arguments.peers))
        if not arguments.only:
            console.print(_many_texts(Path(folder), arguments.peers))
            console.print(_long_text(Path(folder)))


def _one_text(name: str, path: Path, length: int, rounds: int, with_peers: bool) -> Table:
    """Scoring everything about one text, time and memory."""
    lm = load(str(path))
    text = text_of(length)
    ids = torch.tensor([[0, *lm.vocabulary.ids(text)]])[:, :length]
    jobs: dict[str, Job] = {
        "bare forward": lambda: _forward(lm, ids),
        "score, log-probability alone": lambda: score(lm, text, top_k=0),
        "score, everything (top-10)": lambda: score(lm, text),
    }
    if with_peers:
        jobs |= peers.one_text(path, lm, text)
    timed = alternate(jobs, rounds)
    table = Table("", "seconds", "ratio", "MB above the model", title=name)
    for contestant, seconds in timed.seconds.items():
        memory = peak_megabytes(jobs[contestant])
        table.add_row(
            contestant, f"{seconds:.3f}", f"{timed.ratios[contestant]:.2f}", f"{memory:.0f}"
        )
    return table


def _many_texts(folder: Path, with_peers: bool) -> Table:
    """256 texts of mixed length: texts a second."""
    path = models.ten_million(folder / "many")
    lm = load(str(path))
    texts = [text_of(10 + 37 * i % 250) for i in range(256)]
    jobs: dict[str, Job] = {
        "score_many, everything (top-10)": lambda: score_many(lm, texts),
        "score_many, log-probability alone": lambda: score_many(lm, texts, top_k=0),
        "one by one": lambda: [score(lm, text) for text in texts],
    }
    if with_peers:
        jobs |= peers.many_texts(path, texts)
    timed = alternate(jobs, 3)
    table = Table("", "texts a second", "time ratio", title="10 M, 256 texts of 10 to 259 tokens")
    for contestant, seconds in timed.seconds.items():
        speed = f"{len(texts) / seconds:.1f}"
        table.add_row(contestant, speed, f"{timed.ratios[contestant]:.2f}")
    return table


def _long_text(folder: Path) -> Table:
    """A document of 16,384 tokens under a vocabulary of 151,936: memory above the model."""
    lm = load(str(models.wide_vocabulary(folder / "long")))
    text = text_of(LONG)
    memory = peak_megabytes(lambda: score(lm, text, top_k=10))
    table = Table("", "MB above the model", title=f"V = 151,936, {LONG:,} tokens, one window")
    table.add_row("score, everything (top-10)", f"{memory:.0f}")
    table.add_row("(a full table of log-probabilities)", f"{LONG * 151_936 * 4 / 1e6:,.0f}")
    return table


def text_of(n_tokens: int) -> str:
    """A text of that many tokens under the benchmark's one-byte-a-token vocabulary."""
    return (SENTENCE * (n_tokens // len(SENTENCE) + 1))[:n_tokens]


@torch.inference_mode()
def _forward(lm: LM, ids: torch.Tensor) -> None:
    lm.model(ids, use_cache=False)


if __name__ == "__main__":
    main()
