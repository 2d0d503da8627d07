"""Stage 3: pre-training. A run that was killed goes on where its last checkpoint ended.

python -m recipes.pretrain --shape base [--tokens N] [--snapshots 9]
python -m recipes.pretrain --shape base --onward 1 --tokens 9000000
"""

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from recipes import batches, optimisers
from recipes.batches import Ids, Row
from recipes.config import DEFAULT_WORK, SHAPES, Mixture, Shape, TrainConfig
from recipes.textio import write_text

REPORT_EVERY = 20


@dataclass
class Run:
    """Everything that a pre-training run holds while it runs."""

    folder: Path
    config: TrainConfig
    model: LlamaForCausalLM
    opts: list[torch.optim.Optimizer]
    plans: list[torch.optim.lr_scheduler.LambdaLR]
    step: int = 0
    bfloat16: bool = False

    @property
    def checkpoint(self) -> Path:
        """The file that a resumed run reads."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Writes beside the last checkpoint, then replaces it."""
        partial = self.checkpoint.with_suffix(".partial")
        state = {"step": self.step, "model": self.model.state_dict()}
        torch.save(state | optimisers.gather_state(self.opts, self.plans), partial)
        os.replace(partial, self.checkpoint)

    def restore(self) -> None:
        """Back to the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        optimisers.restore_state(state, self.opts, self.plans)
        self.step = state["step"]


def main() -> None:
    """Trains, validates and leaves ``final/`` and ``step-N/`` in the run's folder."""
    options = _options()
    config = _config(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    mixture = Mixture()
    train, valid = (load_parts(options.work, mixture, split) for split in ("train", "valid"))
    sizes = {name: len(ids) for name, ids in train.items()}
    steps = batches.plan(config, mixture, sizes)
    run = start(options.work / "runs" / config.run, config, options.precision)
    read = batches.epochs(steps, sizes)
    print(f"{run.model.num_parameters():,} parameters, {config.steps} steps; epochs of each part:")
    print("  ".join(f"{name} {count:.2f}" for name, count in read.items()), flush=True)
    write_text(run.folder / "config.json", json.dumps({**asdict(config), "epochs": read}, indent=1))
    run.restore()
    train_run(run, steps, train, valid, options.work / "tokenizer")


def _config(options: argparse.Namespace) -> TrainConfig:
    plain = TrainConfig(shape=options.shape, onward=options.onward)
    rates = {n: round(getattr(plain, n) * options.rate, 9) for n in ("muon_lr", "adam_lr")}
    changed = {n: getattr(options, n) for n in ("tokens", "snapshots", "seed")}
    return replace(plain, **rates, **{k: v for k, v in changed.items() if v is not None})


def start(folder: Path, config: TrainConfig, precision: str) -> Run:
    """A run at step 0, with random weights or those of the run that it goes on from."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = LlamaForCausalLM(model_config(SHAPES[config.shape]))
    if config.onward:
        earlier = folder.with_name(config.earlier) / "checkpoint.pt"
        model.load_state_dict(torch.load(earlier, weights_only=True)["model"])
    model = model.to(device)
    opts = optimisers.optimisers(model, config)
    plans = optimisers.schedules(opts, config)
    narrow = precision == "bfloat16" or (precision == "auto" and device == "cuda")
    return Run(folder, config, model, opts, plans, bfloat16=narrow)


def model_config(shape: Shape) -> LlamaConfig:
    """A Llama of that shape, embeddings tied; ids 0, 1 and 2 are BOS, EOS and padding."""
    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


def load_parts(work: Path, mixture: Mixture, split: str) -> dict[str, Ids]:
    """Token ids of every part."""
    return {p.name: np.load(work / f"{p.name}.{split}.npy") for p in mixture.parts}


def train_run(
    run: Run, steps: list[list[Row]], train: Mapping[str, Ids], valid: Mapping[str, Ids], tok: Path
) -> None:
    """From the run's step to the end, with checkpoints by time and snapshots by step."""
    wanted = snapshot_steps(run.config)
    saved, since, at = time.monotonic(), time.monotonic(), run.step
    while run.step < len(steps):
        if run.step in wanted:
            export(run.model, tok, run.folder / f"step-{run.step}")
        loss, norm = train_step(run, steps[run.step], train)
        run.step += 1
        if run.step % REPORT_EVERY == 0:
            speed = (run.step - at) * run.config.batch_tokens / (time.monotonic() - since)
            since, at = time.monotonic(), run.step
            print(f"step {run.step} loss {loss:.4f} norm {norm:.2f} {speed:.0f} tok/s", flush=True)
        if run.step % run.config.valid_every == 0 or run.step == len(steps):
            _report(run, valid)
        if time.monotonic() - saved > run.config.save_seconds or run.step == len(steps):
            run.save()
            saved = time.monotonic()
    if run.step in wanted:
        export(run.model, tok, run.folder / f"step-{run.step}")
    export(run.model, tok, run.folder / "final")


def snapshot_steps(config: TrainConfig) -> set[int]:
    """Step 0, then steps evenly spaced in their logarithm up to the last."""
    if not config.snapshots:
        return set()
    spaced = np.geomspace(8, config.steps, config.snapshots - 1)
    return {0, *(round(step) for step in spaced)}


def train_step(run: Run, rows: list[Row], parts: Mapping[str, Ids]) -> tuple[float, float]:
    """One optimiser step; mean loss of its tokens in nats, and the norm of the gradient."""
    total = sum(row.length for row in rows)
    lost = 0.0
    for inputs, targets in batches.micro_batches(rows, parts, run.config.micro_tokens):
        loss = sum_loss(run, inputs, targets) / total
        loss.backward()  # type: ignore[no-untyped-call]
        lost += loss.item()
    if not np.isfinite(lost):
        raise SystemExit(f"The loss at step {run.step} is not a number; the checkpoint is kept.")
    norm = optimisers.clip(run.model, run.config.clip)
    for opt, plan in zip(run.opts, run.plans, strict=True):
        opt.step()
        plan.step()
        opt.zero_grad(set_to_none=True)
    return lost, norm


def sum_loss(run: Run, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy of [B, T] targets, in nats."""
    device = run.model.device
    with torch.autocast(device.type, torch.bfloat16, enabled=run.bfloat16):
        logits = run.model(inputs.to(device), use_cache=False).logits
    return F.cross_entropy(
        logits.flatten(0, 1).float(), targets.to(device).flatten(), reduction="sum"
    )


@torch.inference_mode()
def valid_losses(run: Run, valid: Mapping[str, Ids], rows: int = 16) -> dict[str, float]:
    """Mean held-out loss of each part, in nats a token, over its first windows."""
    found = {}
    for name, ids in valid.items():
        length = min(run.config.window, len(ids) - 1)
        starts = range(0, min(len(ids) - length, rows * length), length)
        chosen = [Row(name, start, length) for start in starts]
        pieces = list(batches.micro_batches(chosen, valid, run.config.micro_tokens))
        lost = sum(float(sum_loss(run, x, y)) for x, y in pieces)
        found[name] = lost / (len(chosen) * length)
    return found


def export(model: Any, tokenizer: Path, folder: Path) -> None:
    """A bfloat16 copy in the standard format, with its tokenizer."""
    copy: Any = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


def _report(run: Run, valid: Mapping[str, Ids]) -> None:
    losses = valid_losses(run, valid)
    told = "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    print(f"step {run.step} held out: {told}", flush=True)
    with (run.folder / "valid.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": run.step, **losses}) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="base")
    parser.add_argument("--tokens", type=int, help="tokens to train on")
    parser.add_argument("--snapshots", type=int, help="checkpoints to keep, from step 0 on")
    parser.add_argument(
        "--onward", type=int, default=0, help="go on from the run before, for the nth time"
    )
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--seed", type=int, default=20, help="of the weights, and of what is read")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--threads", type=int, help="torch threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
