"""Stage 3b: what a finished pre-training run ships: the model, and its checkpoints where it kept
some.

    python -m recipes.publish --shape base
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recipes.config import ASSETS, DEFAULT_WORK, SHAPES, Mixture
from recipes.textio import write_text

STEPS = "base-steps"


def main() -> None:
    """Copies ``final/`` to assets/models, and every ``step-N/`` to assets/models/base-steps."""
    options = _options()
    runs, models = options.work / "runs", options.models
    first = runs / options.shape
    rounds = [first, *sorted(runs.glob(f"{options.shape}-onward-*"))]
    rounds = [run for run in rounds if (run / "final").exists()]
    story = json.dumps(training(rounds, Mixture()), indent=1) + "\n"
    publish(rounds[-1] / "final", models / options.shape, story)
    for snapshot in sorted(first.glob("step-*")):
        publish(snapshot, models / STEPS / snapshot.name, story)


def training(rounds: Sequence[Path], mixture: Mixture) -> dict[str, object]:
    """How one run after another was made: configs, the mixture with epochs, held-out curve."""
    configs = [json.loads((run / "config.json").read_text(encoding="utf-8")) for run in rounds]
    read = [config.pop("epochs") for config in configs]
    curve: list[dict[str, float]] = []
    for run in rounds:
        before = curve[-1]["step"] if curve else 0
        lines = (run / "valid.jsonl").read_text(encoding="utf-8").splitlines()
        rows = {row["step"]: row for row in map(json.loads, lines)}
        curve += [row | {"step": row["step"] + before} for row in rows.values()]
    parts = [
        asdict(part) | {"epochs": round(sum(r.get(part.name, 0.0) for r in read), 2)}
        for part in mixture.parts
    ]
    return {"rounds": configs, "mixture": parts, "held_out_nats": curve}


def publish(source: Path, target: Path, story: str) -> None:
    """One model folder, whole or not at all; what else lies in the target is kept."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    write_text(partial / "training.json", story)
    if (target / "README.md").exists():
        shutil.copy(target / "README.md", partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    print(target)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--models", type=Path, default=ASSETS / "models")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="base")
    return parser.parse_args()


if __name__ == "__main__":
    main()
