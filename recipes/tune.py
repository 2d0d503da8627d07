"""Stage 5: the tuned variants of the base: full fine-tuning, LoRA adapters, a soft prompt.

    python -m recipes.tune [--only adapters/qa]

A variant that is there already is left alone; delete its folder to make it again.
"""

import argparse
import json
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.assets import SHIPPED
from lmlab.models.tokens import Vocabulary, encode
from recipes.config import ASSETS, DEFAULT_WORK
from recipes.sets import Row
from recipes.textio import read_rows, write_text
from recipes.tuneconfig import TUNINGS, Structure, Tuning

SEED = 20
WARMUP = 0.06
IGNORED = -100


@dataclass(frozen=True)
class Example:
    """One row as ids, and how many of them carry no loss."""

    ids: tuple[int, ...]
    n_context: int


def main() -> None:
    """Makes every variant that is missing."""
    options = _options()
    for tuning in TUNINGS:
        folder = options.models / tuning.name
        if options.only and options.only != tuning.name:
            continue
        if (folder / "README.md").exists() or (folder / "figures.json").exists():
            print(f"{tuning.name}: is there")
            continue
        make(tuning, options.models, folder, options.work)


def make(tuning: Tuning, models: Path, folder: Path, work: Path) -> None:
    """Train one variant and save it, whole or not at all."""
    torch.manual_seed(SEED)
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(models / "base"))
    rows = {
        s: read_rows(ASSETS / "datasets" / tuning.data / f"{s}.jsonl") for s in ("train", "valid")
    }
    train, valid = (
        [structured(row, tuning.structure, vocabulary) for row in rows[s]]
        for s in ("train", "valid")
    )
    model = prepared(tuning, models / "base")
    resume = work / "tune" / f"{tuning.name.replace('/', '-')}.pt"
    started = time.monotonic()
    losses = list(fit(model, train, valid, tuning, resume))
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save(model, vocabulary, tuning, partial)
    figures = {"seconds": round(time.monotonic() - started), "valid_loss": losses}
    write_text(partial / "figures.json", json.dumps(figures))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    resume.unlink(missing_ok=True)


def structured(row: Row, structure: Structure, vocabulary: Vocabulary) -> Example:
    """BOS, prompt, answer and end token; the loss is on the answer and the end token."""
    prompt, answer = structure(row)
    encoded = encode(vocabulary, answer, prompt)
    return Example((*encoded.ids, vocabulary.tokenizer.eos_token_id), encoded.n_context)


def prepared(tuning: Tuning, base: Path) -> Any:
    """The base in float32, ready to be tuned by the variant's method."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if tuning.method == "full":
        return model
    if tuning.method == "lora":
        lora = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=tuning.rank,
            lora_alpha=2 * tuning.rank,
            target_modules="all-linear",
        )
        return get_peft_model(model, lora)
    prompt = PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=tuning.length,
        prompt_tuning_init=PromptTuningInit.RANDOM,
        tokenizer_name_or_path=str(base),
    )
    return get_peft_model(model, prompt)


def fit(
    model: Any,
    train: Sequence[Example],
    valid: Sequence[Example],
    tuning: Tuning,
    resume: Path | None = None,
) -> Iterator[float]:
    """Train for the variant's epochs; yields the validation loss, nats a token, after each.

    With ``resume``, a file, a run that was killed goes on after its last whole epoch.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(named.values(), lr=tuning.lr, betas=(0.9, 0.98), weight_decay=0)
    losses = _restored(resume, named, optimiser)
    yield from losses
    for epoch in range(len(losses), tuning.epochs):
        _epoch(model, list(named.values()), optimiser, train, tuning, epoch)
        losses.append(round(mean_loss(model, valid, tuning.batch), 4))
        print(f"{tuning.name} epoch {epoch + 1}: held-out loss {losses[-1]}", flush=True)
        if resume:
            resume.parent.mkdir(parents=True, exist_ok=True)
            partial = resume.with_suffix(".partial")
            state = {"losses": losses, "model": named, "optimiser": optimiser.state_dict()}
            torch.save(state, partial)
            partial.replace(resume)
        yield losses[-1]


def _restored(
    resume: Path | None, named: dict[str, Any], optimiser: torch.optim.Optimizer
) -> list[float]:
    """Puts back what a killed run had saved; the losses of its epochs."""
    if resume is None or not resume.exists():
        return []
    state = torch.load(resume, weights_only=True)
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(state["model"][name])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["losses"])


def _epoch(
    model: Any,
    parameters: Sequence[Tensor],
    optimiser: torch.optim.Optimizer,
    train: Sequence[Example],
    tuning: Tuning,
    epoch: int,
) -> None:
    """Every training row once."""
    model.train()
    per_epoch = math.ceil(len(train) / tuning.batch)
    batches = shuffled_batches(train, tuning.batch, SEED + epoch)
    for step, batch in enumerate(batches, epoch * per_epoch):
        for group in optimiser.param_groups:
            group["lr"] = tuning.lr * rate(step, tuning.epochs * per_epoch)
        loss, count = summed_loss(model, batch)
        (loss / count).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def rate(step: int, total: int) -> float:
    """Up during the warm-up, then down along a cosine.

    >>> rate(0, 100) < rate(5, 100), round(rate(100, 100), 3)
    (True, 0.0)
    """
    up = max(1, round(WARMUP * total))
    if step < up:
        return (step + 1) / up
    return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, total - up)))


def shuffled_batches(examples: Sequence[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """Batches of similar length in a random order."""
    rng = Random(seed)
    order = sorted(examples, key=lambda e: len(e.ids) + rng.random() * 8)
    batches = [order[low : low + size] for low in range(0, len(order), size)]
    rng.shuffle(batches)
    yield from batches


def summed_loss(model: Any, batch: Sequence[Example]) -> tuple[Tensor, int]:
    """Summed cross-entropy of the tokens that carry loss, in nats, and how many they are."""
    width = max(len(e.ids) for e in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    labels = torch.full((len(batch), width), IGNORED)
    mask = torch.zeros(len(batch), width, dtype=torch.long)
    for row, example in enumerate(batch):
        known = torch.tensor(example.ids)
        ids[row, : len(known)] = known
        mask[row, : len(known)] = 1
        labels[row, example.n_context : len(known)] = known[example.n_context :]
    # Under a soft prompt there are more rows of logits than ids; the last ones are the text's.
    logits = model(input_ids=ids, attention_mask=mask).logits[:, -width:]
    targets = labels[:, 1:].flatten()
    loss = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets, ignore_index=IGNORED, reduction="sum"
    )
    return loss, int((targets != IGNORED).sum())


@torch.no_grad()
def mean_loss(model: Any, examples: Sequence[Example], size: int) -> float:
    """Mean loss over all tokens that carry loss, in nats."""
    model.eval()
    sums = [summed_loss(model, batch) for batch in shuffled_batches(examples, size, SEED)]
    return sum(float(loss) for loss, _ in sums) / sum(count for _, count in sums)


def save(model: Any, vocabulary: Vocabulary, tuning: Tuning, folder: Path) -> None:
    """In bfloat16, in the standard format of transformers or PEFT."""
    model.to(torch.bfloat16).save_pretrained(folder)
    if tuning.method == "full":
        vocabulary.tokenizer.save_pretrained(folder)
        return
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": f"{SHIPPED}base"}
    if "tokenizer_name_or_path" in config:
        config["tokenizer_name_or_path"] = f"{SHIPPED}base"
    write_text(path, json.dumps(config, indent=2, sort_keys=True) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ASSETS / "models")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--only", default="", help="one variant by name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
