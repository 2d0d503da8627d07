"""Few-shot evaluation against lm-evaluation-harness: the same folder, prompts and labels.

    python -m bench.evaluation [--rounds N] [--rows N] [--shots K] [--model FOLDER]

Needs ``pip install -e '.[bench]'``. Both give each label's log-likelihood after each prompt; the
largest difference between them is printed beside the times.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bench.timing import Job, alternate
from lmlab.api import load
from lmlab.assets import models_dir
from lmlab.features.prompt.evaluation import evaluate
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.models.model import LM
from lmlab.text.protocols import Protocol, asked, drawn
from lmlab.text.sets import shipped
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_templates

TEMPLATES = ("sentiment-review", "similarity-meaning", "topic-story")
BATCHES = (1, 8, 32)


def main() -> None:
    """Print one table for each template."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--model", type=Path, default=models_dir() / "base")
    parser.add_argument("--only", default="", help="templates whose name contains this")
    options = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in TEMPLATES:
        if options.only in name:
            console.print(_compare(name, options))


def _compare(name: str, options: argparse.Namespace) -> Table:
    template = shipped_templates()[name]
    lm = load(str(options.model))
    protocol = Protocol(shots=options.shots, limit=options.rows, calibrate=False)
    pairs = _pairs(template, protocol)
    answers: dict[str, list[float]] = {}
    jobs = _jobs(lm, template, protocol, pairs, options.model, answers)
    timed = alternate(jobs, options.rounds)
    mine = next(iter(answers.values()))
    n = len(pairs) // len(template.labels)
    title = f"{name}, {options.shots} shots, {n} rows, {len(template.labels)} labels"
    table = Table("", "rows a second", "time ratio", "largest difference, nats", title=title)
    for contestant, seconds in timed.seconds.items():
        gap = max(abs(a - b) for a, b in zip(answers[contestant], mine, strict=True))
        table.add_row(
            contestant, f"{n / seconds:.1f}", f"{timed.ratios[contestant]:.2f}", f"{gap:.1e}"
        )
    return table


def _pairs(template: PromptTemplate, protocol: Protocol) -> list[tuple[str, str]]:
    """Every prompt with every label, as strings."""
    data = shipped(template.data)
    (examples,) = drawn(data, protocol)
    prompts = [template.encode(examples, row) for row in asked(data, protocol)]
    return [(prompt.text, end) for prompt in prompts for end in prompt.targets.values()]


def _jobs(
    lm: LM,
    template: PromptTemplate,
    protocol: Protocol,
    pairs: list[tuple[str, str]],
    folder: Path,
    answers: dict[str, list[float]],
) -> dict[str, Job]:
    """lmlab first; each job leaves its log-likelihoods in ``answers``."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    data = shipped(template.data)

    def ours(name: str, chosen: Protocol) -> Callable[[], None]:
        def run() -> None:
            found: Evaluation = evaluate(lm, template, data, chosen)
            answers[name] = [value for p in found.predictions for value in p.logprobs]

        return run

    def theirs(name: str, harness: Any) -> Callable[[], None]:
        requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]

        def run() -> None:
            found = harness.loglikelihood(requests, disable_tqdm=True)
            answers[name] = [value for value, _ in found]

        return run

    unshared = Protocol(shots=protocol.shots, limit=protocol.limit, calibrate=False, share=False)
    jobs: dict[str, Job] = {
        "lmlab": ours("lmlab", protocol),
        "lmlab, nothing shared": ours("lmlab, nothing shared", unshared),
    }
    for batch in BATCHES:
        name = f"lm-eval, batch {batch}"
        harness = HFLM(
            str(folder), device="cpu", dtype="float32", batch_size=batch, add_bos_token=True
        )
        jobs[name] = theirs(name, harness)
    return jobs


if __name__ == "__main__":
    main()
