"""Stage 3b: what a finished pre-training run ships: the model, and its checkpoints where it kept
some.

    python -m recipes.publish --shape base
"""

import argparse
import json
import shutil
from collections import Counter
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from recipes import batches
from recipes.config import ASSETS, DEFAULT_WORK, SHAPES, SHARES, Mixture, TrainConfig
from recipes.state import CURVES, PARTS
from recipes.textio import read_rows, write_text

STEPS = "base-steps"


def main() -> None:
    """Copies ``final/`` to assets/models, and every ``step-N/`` to assets/models/base-steps."""
    options = _options()
    run, models = options.work / "runs" / options.shape, options.models
    story = json.dumps(training(run, Mixture()), indent=1) + "\n"
    publish(run / "final", models / options.shape, story)
    for snapshot in sorted(run.glob("step-*")):
        publish(snapshot, models / STEPS / snapshot.name, story)


def training(run: Path, mixture: Mixture) -> dict[str, object]:
    """How a run was made: its config and tokens, which share of the mixture counted for how many
    windows, the mixture with tokens and epochs, the held-out curve and the losses along the way."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    sizes = {n: size for n, (size, _) in json.loads((run / PARTS).read_text()).items()}
    made = TrainConfig(**config)
    losses, held_out = (read_rows(run / name) for name in CURVES)
    steps = made.end or losses[-1]["step"]
    read = batches.epochs(islice(batches.order(made, mixture, sizes), steps), sizes)
    counts = Counter(SHARES[made.phase(step)] for step in range(steps))
    windows = made.batch_tokens // made.window
    phases = [
        {"share": share, "windows": count * windows, "length": made.window}
        for share, count in counts.items()
    ]
    parts = [
        asdict(p) | {"tokens": sizes[p.name], "epochs": round(read[p.name], 2)}
        for p in mixture.parts
    ]
    return {
        "config": config,
        "tokens": steps * made.batch_tokens,
        "phases": phases,
        "mixture": parts,
        "held_out_nats": held_out,
        "losses": losses,
    }


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
