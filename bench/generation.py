"""Completion against transformers' own loop, and adapters side by side against separate runs.

    python -m bench.generation [--rounds N] [--tokens N] [--only NAME]

Every ratio is to the first line of its table, in the same run; greedy, the same tokens everywhere.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, TextIteratorStreamer
from transformers.utils import logging

from bench import models
from bench.scoring import text_of
from bench.timing import Job, alternate
from lmlab.api import load
from lmlab.generation.complete import generate, prompt_ids
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.sidebyside import generate_side_by_side
from lmlab.models.backends.transformers.ways import choose
from lmlab.models.model import LM
from lmlab.runs.model_store import ModelRef, ModelStore

SHAPES: dict[str, Callable[[Path], Path]] = {
    "10 M": models.ten_million,
    "GPT-2 124 M": models.gpt2,
    "GPT-1's kind, 10 M, read anew at each step": models.without_cache,
}
PROMPT = 64


def main() -> None:
    """Print one table for each question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    arguments = parser.parse_args()
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        for name, make in SHAPES.items():
            if arguments.only in name:
                path = make(Path(folder) / name)
                console.print(_loading(name, path, arguments.rounds))
                lm = models.endless(load(str(path)))
                console.print(_one(name, lm, arguments.rounds, arguments.tokens))
                console.print(_first(name, lm, arguments.rounds))
        if arguments.only in "10 M":
            path = Path(folder) / "10 M"
            console.print(_side_by_side(path, arguments.rounds, arguments.tokens))


def _one(name: str, lm: LM, rounds: int, tokens: int) -> Table:
    """One completion: tokens a second."""
    prompt = text_of(PROMPT)
    config = GenerateConfig(temperature=0, max_new_tokens=tokens)
    return _table(
        f"{name}, {tokens} new tokens after {PROMPT}",
        tokens,
        {
            "generate with TextIteratorStreamer": lambda: _streamed(lm, prompt, tokens),
            "generate, nothing to watch": lambda: _plain(lm, prompt, tokens),
            "lmlab, with top-10 and entropy of each step": lambda: list(
                generate(lm, prompt, config)
            ),
        },
        rounds,
    )


def _loading(name: str, path: Path, rounds: int) -> Table:
    """What it costs to prove the short cuts, against reading the model."""
    jobs: dict[str, Job] = {
        "loaded, and seen to be causal": lambda: load(str(path)),
        "every short cut proved": lambda: choose(lm.model, None).shared,
        "that it is causal alone": lambda: choose(lm.model, None).causal,
    }
    lm = load(str(path))
    timed = alternate(jobs, rounds)
    table = Table("", "seconds", "ratio", title=f"{name}, loading")
    for contestant, seconds in timed.seconds.items():
        table.add_row(contestant, f"{seconds:.4f}", f"{timed.ratios[contestant]:.3f}")
    return table


def _first(name: str, lm: LM, rounds: int) -> Table:
    """The first token of a completion: seconds."""
    prompt = text_of(PROMPT * 4)
    ids = torch.tensor([prompt_ids(lm, prompt)])
    config = GenerateConfig(temperature=0, max_new_tokens=4)
    jobs: dict[str, Job] = {
        "bare forward of the prompt": lambda: _forward(lm, ids),
        "lmlab": lambda: next(generate(lm, prompt, config)),
        "generate with TextIteratorStreamer": lambda: _streamed(lm, prompt, 4, first=True),
    }
    timed = alternate(jobs, rounds)
    table = Table("", "seconds", "ratio", title=f"{name}, first token after {PROMPT * 4}")
    for contestant, seconds in timed.seconds.items():
        table.add_row(contestant, f"{seconds:.4f}", f"{timed.ratios[contestant]:.2f}")
    return table


def _side_by_side(base: Path, rounds: int, tokens: int) -> Table:
    """Base and adapters from one prompt."""
    prompt = text_of(PROMPT)
    config = GenerateConfig(temperature=0, max_new_tokens=tokens)
    refs = [ModelRef(str(base)), *(ModelRef(str(base), _adapter(base, i)) for i in range(3))]
    with ModelStore().borrow_all(refs) as lms:
        models.endless(lms[0])
        apart = [_tokens(lm, prompt, config) for lm in lms]
        together: list[list[int]] = [[] for _ in lms]
        for which, step in generate_side_by_side(lms, prompt, config):
            together[which].append(step.id)
        assert together == apart, "side by side and separate runs differ"
        jobs: dict[str, Job] = {
            "the base alone, model.generate": lambda: _plain(lms[0], prompt, tokens),
            "the base alone, lmlab": lambda: _tokens(lms[0], prompt, config),
            "base + 1 in one batch": lambda: list(generate_side_by_side(lms[:2], prompt, config)),
            "base + 3 in one batch": lambda: list(generate_side_by_side(lms, prompt, config)),
            "base + 3 one after another": lambda: [_tokens(lm, prompt, config) for lm in lms],
            "base + 3, PEFT's mixed batch": lambda: _mixed(lms, prompt, tokens),
        }
        return _table("10 M, LoRA of rank 8 on all linear layers", tokens, jobs, rounds)


def _table(title: str, tokens: int, jobs: dict[str, Job], rounds: int) -> Table:
    timed = alternate(jobs, rounds)
    own = timed.seconds.get("the base alone, lmlab")
    extra = ["to lmlab's base"] if own else []
    table = Table("", "tokens a second", "time ratio", *extra, title=title)
    for contestant, seconds in timed.seconds.items():
        more = [f"{seconds / own:.2f}"] if own else []
        ratio = f"{timed.ratios[contestant]:.2f}"
        table.add_row(contestant, f"{tokens / seconds:.1f}", ratio, *more)
    return table


def _tokens(lm: LM, prompt: str, config: GenerateConfig) -> list[int]:
    return [step.id for step in generate(lm, prompt, config)]


def _options(lm: LM, prompt: str, tokens: int) -> dict[str, Any]:
    ids = torch.tensor([prompt_ids(lm, prompt)])
    mask = torch.ones_like(ids)
    return {
        "inputs": ids,
        "attention_mask": mask,
        "do_sample": False,
        "max_new_tokens": tokens,
        "pad_token_id": 0,
    }


def _plain(lm: LM, prompt: str, tokens: int) -> None:
    lm.switch_on()
    lm.model.generate(**_options(lm, prompt, tokens))


def _streamed(lm: LM, prompt: str, tokens: int, first: bool = False) -> None:
    """What most applications do: generate in a thread, read the text from a queue."""
    streamer = TextIteratorStreamer(lm.tokenizer, skip_prompt=True)
    options = {**_options(lm, prompt, tokens), "streamer": streamer}
    worker = Thread(target=lm.model.generate, kwargs=options)
    worker.start()
    for _ in streamer:
        if first:
            break
    if not first:
        worker.join()


@torch.inference_mode()
def _forward(lm: LM, ids: torch.Tensor) -> None:
    lm.model(ids, use_cache=False, logits_to_keep=1)


def _adapter(base: Path, seed: int) -> str:
    torch.manual_seed(seed)
    path = base.parent / f"adapter{seed}"
    config = LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(str(path))
    return str(path)


def _mixed(lms: list[LM], prompt: str, tokens: int) -> None:
    """PEFT's own way: the name of an adapter for each row of the batch."""
    lms[1].switch_on()
    names = ["__base__" if lm.attached.name is None else lm.attached.name for lm in lms]
    options = _options(lms[0], prompt, tokens)
    rows = {key: options[key].repeat(len(lms), 1) for key in ("inputs", "attention_mask")}
    peft = lms[0].adapters.peft
    peft.generate(**{**options, **rows}, adapter_names=names)


if __name__ == "__main__":
    main()
