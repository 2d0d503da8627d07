"""Stage 3: pre-training. A run that was killed goes on where its last checkpoint ended.

    python -m recipes.pretrain --shape base --state recipes/state [--until STEP]

It goes on from the checkpoint in the work folder or, on a new machine, from the compact state in
the repository (``recipes.state`` packs it), whichever is further. Without ``fall_from`` in
``TrainConfig`` it has no end: it trains for as long as it is let.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from recipes import batches, optimisers, state
from recipes.batches import IGNORED, Ids, Row
from recipes.config import DEFAULT_WORK, SHAPES, Mixture, Shape, TrainConfig
from recipes.textio import cut_rows, write_text

REPORT_EVERY = 20
CURVE, VALID = "losses.jsonl", "valid.jsonl"
Parts = Mapping[str, Ids]


@dataclass
class Run:
    """Everything that a pre-training run holds while it runs."""

    folder: Path
    config: TrainConfig
    model: LlamaForCausalLM
    opts: list[torch.optim.Optimizer]
    step: int = 0
    bfloat16: bool = False
    compiled: Any = None

    @property
    def checkpoint(self) -> Path:
        """The file that a resumed run reads."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Writes beside the last checkpoint, then replaces it."""
        partial = self.checkpoint.with_suffix(".partial")
        opts = [opt.state_dict() for opt in self.opts]
        torch.save({"step": self.step, "model": self.model.state_dict(), "opts": opts}, partial)
        os.replace(partial, self.checkpoint)

    def restore(self, packed: Path | None = None) -> None:
        """Back to the last checkpoint, or to the ``packed`` state if that is further; what the
        curves hold of later steps is cut."""
        kept = torch.load(self.checkpoint, weights_only=True) if self.checkpoint.exists() else None
        if packed and state.step(packed) > (kept["step"] if kept else 0):
            kept = state.unpack(packed, self.folder, self.config.shape)
        if kept is None:
            return
        self.model.load_state_dict(kept["model"])
        for opt, saved in zip(self.opts, kept["opts"], strict=True):
            opt.load_state_dict(saved)
        self.step = kept["step"]
        for name in (CURVE, VALID):
            cut_rows(self.folder / name, "step", self.step)


def main() -> None:
    """Trains, validates and leaves ``step-N/`` and in the end ``final/`` in the run's folder."""
    options = _options()
    config = replace(TrainConfig(shape=options.shape), seed=options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    mixture = Mixture()
    train, valid = (load_parts(options.work, mixture, split) for split in ("train", "valid"))
    run = start(options.work / "runs" / config.shape, config, options.precision)
    state.same_parts(train, run.folder, options.state)
    run.restore(options.state)
    if options.compile == "yes" or (options.compile == "auto" and shutil.which("g++")):
        run.compiled = torch.compile(run.model, dynamic=False)
    print(f"{run.model.num_parameters():,} parameters, from step {run.step}", flush=True)
    write_text(run.folder / "config.json", json.dumps(asdict(config), indent=1))
    until = min(x for x in (config.end, options.until, 10**9) if x is not None)
    sizes = {name: len(ids) for name, ids in train.items()}
    order = batches.order(config, mixture, sizes)
    train_run(run, islice(order, until), train, valid, options.work / "tokenizer")


def start(folder: Path, config: TrainConfig, precision: str) -> Run:
    """A run at step 0, with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = LlamaForCausalLM(model_config(SHAPES[config.shape]))
    model = model.to(device)
    narrow = precision == "bfloat16" or (precision == "auto" and wide_cpu_or_gpu(device))
    return Run(folder, config, model, optimisers.optimisers(model, config), bfloat16=narrow)


def wide_cpu_or_gpu(device: str) -> bool:
    """Whether bfloat16 is the quicker one: on a GPU, and on processors that multiply in it."""
    return device == "cuda" or torch.cpu._is_avx512_bf16_supported()


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
    found = {}
    for part in mixture.parts:
        file = work / f"{part.name}.{split}.npy"
        if not file.exists():
            raise SystemExit(
                f"There is no {file}: run recipes.corpus with --data FOLDER, the folder that holds "
                "pretrain/ and sets/ (README.md says where to get it), then recipes.tokenizer."
            )
        found[part.name] = np.load(file)
    return found


def train_run(
    run: Run, order: Iterator[list[Row]], train: Parts, valid: Parts, tokenizer: Path
) -> None:
    """From the run's step to the end of ``order``, with checkpoints by time and snapshots by
    step; ``order`` begins with step 0."""
    saved, since, at = time.monotonic(), time.monotonic(), run.step
    for rows in islice(order, run.step, None):
        if is_snapshot(run.config, run.step):
            export(run.model, tokenizer, run.folder / f"step-{run.step}")
        loss, norm = train_step(run, rows, train)
        run.step += 1
        if run.step % REPORT_EVERY == 0:
            speed = (run.step - at) * run.config.batch_tokens / (time.monotonic() - since)
            since, at = time.monotonic(), run.step
            _told(run, loss, norm, speed)
        if run.step % run.config.valid_every == 0:
            _report(run, valid)
        if time.monotonic() - saved > run.config.save_seconds:
            run.save()
            saved = time.monotonic()
    run.save()
    if run.step == run.config.end:
        _report(run, valid)
        export(run.model, tokenizer, run.folder / "final")


def is_snapshot(config: TrainConfig, step: int) -> bool:
    """Whether the weights before this step are kept: 0, 8, 16, 32 and so on, even in the logarithm
    however long the run will be."""
    return config.snapshots and (step == 0 or (step >= 8 and step.bit_count() == 1))


def train_step(run: Run, rows: list[Row], parts: Parts) -> tuple[float, float]:
    """One optimiser step; mean loss in nats of its tokens that carry some, and the norm of the
    gradient."""
    pieces = list(batches.micro_batches(rows, parts, run.config.micro_tokens))
    total = sum(int((targets != IGNORED).sum()) for _, targets in pieces)
    lost = 0.0
    for inputs, targets in pieces:
        loss = sum_loss(run, inputs, targets) / total
        loss.backward()  # type: ignore[no-untyped-call]
        lost += loss.item()
    if not np.isfinite(lost):
        raise SystemExit(f"The loss at step {run.step} is not a number; the checkpoint is kept.")
    norm = optimisers.clip(run.model, run.config.clip)
    optimisers.set_rates(run.opts, run.config, run.step)
    for opt in run.opts:
        opt.step()
        opt.zero_grad(set_to_none=True)
    return lost, norm


def sum_loss(run: Run, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy of [B, T] targets, in nats."""
    device = run.model.device
    model = run.compiled if run.compiled is not None and torch.is_grad_enabled() else run.model
    with torch.autocast(device.type, torch.bfloat16, enabled=run.bfloat16):
        logits = model(inputs.to(device), use_cache=False).logits
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.to(device).flatten(),
        reduction="sum",
        ignore_index=IGNORED,
    )


@torch.inference_mode()
def valid_losses(run: Run, valid: Parts, rows: int = 16) -> dict[str, float]:
    """Mean held-out loss of each part, in nats a token, over its first windows."""
    found = {}
    for name, ids in valid.items():
        length = min(run.config.window, len(ids) - 1)
        starts = range(0, min(len(ids) - length, rows * length), length)
        chosen = [Row(name, start, length) for start in starts]
        pieces = list(batches.micro_batches(chosen, valid, run.config.micro_tokens))
        lost = sum(float(sum_loss(run, x, y)) for x, y in pieces)
        found[name] = lost / sum(int((y != IGNORED).sum()) for _, y in pieces)
    return found


def export(model: Any, tokenizer: Path, folder: Path) -> None:
    """A bfloat16 copy in the standard format, with its tokenizer."""
    copy: Any = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


def _told(run: Run, loss: float, norm: float, speed: float) -> None:
    print(f"step {run.step} loss {loss:.4f} norm {norm:.2f} {speed:.0f} tok/s", flush=True)
    row = {
        "step": run.step,
        "tokens": run.step * run.config.batch_tokens,
        "loss": round(loss, 4),
        "norm": round(norm, 3),
        "tokens_per_second": round(speed),
    }
    _append(run.folder / CURVE, row)


def _report(run: Run, valid: Parts) -> None:
    losses = valid_losses(run, valid)
    told = "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    print(f"step {run.step} held out: {told}", flush=True)
    _append(run.folder / VALID, {"step": run.step} | {n: round(x, 4) for n, x in losses.items()})


def _append(file: Path, row: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(row) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--state", type=Path, help="a packed state to go on from")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="base")
    parser.add_argument("--until", type=int, help="stop before this step")
    parser.add_argument("--seed", type=int, default=20, help="of the weights, and of what is read")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--compile", choices=["auto", "yes", "no"], default="auto")
    parser.add_argument("--threads", type=int, help="torch threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
