"""Stage 3b: what a finished pre-training run ships: the model, and its checkpoints where it kept
some.

    python -m recipes.publish --shape base
"""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from recipes.config import ASSETS, DEFAULT_WORK, SHAPES, Mixture
from recipes.textio import write_text

STEPS = "base-steps"


def main() -> None:
    """Copies ``final/`` to assets/models, and every ``step-N/`` to assets/models/base-steps."""
    options = _options()
    run, models = options.work / "runs" / options.shape, options.models
    story = json.dumps(training(run), indent=1) + "\n"
    publish(run / "final", models / options.shape, story)
    for snapshot in sorted(run.glob("step-*")):
        publish(snapshot, models / STEPS / snapshot.name, story)


def training(run: Path) -> dict[str, object]:
    """How the run was made: its config, the mixture with epochs, and the held-out curve."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    epochs = config.pop("epochs")
    lines = (run / "valid.jsonl").read_text(encoding="utf-8").splitlines()
    curve = {row["step"]: row for row in map(json.loads, lines)}
    parts = [asdict(part) | {"epochs": round(epochs[part.name], 2)} for part in Mixture().parts]
    return {"config": config, "mixture": parts, "held_out_nats": list(curve.values())}


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
