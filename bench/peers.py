"""Other libraries at the same job, on the same folder and text."""

from pathlib import Path
from typing import Any

import torch

from bench.timing import Job
from lmlab.models.model import LM


def one_text(folder: Path, lm: LM, text: str) -> dict[str, Job]:
    """Peers that score one text; memory and time are comparable with ``score``."""
    from lm_eval.api.instance import Instance
    from minicons import scorer

    harness = _harness(folder, batch=1)
    rolling = [Instance("loglikelihood_rolling", {}, (text,), 0)]
    pair = [Instance("loglikelihood", {}, (text[:1], text[1:]), 0)]
    mini = scorer.IncrementalLMScorer(lm.model, "cpu", tokenizer=lm.tokenizer)
    return {
        "lm-eval loglikelihood": lambda: harness.loglikelihood(pair, disable_tqdm=True),
        "lm-eval loglikelihood_rolling": lambda: harness.loglikelihood_rolling(
            rolling, disable_tqdm=True
        ),
        "evaluate's perplexity path": lambda: _evaluate_path(lm, text),
        "minicons token_score": lambda: mini.token_score([text]),
        "minicons token_score with rank": lambda: mini.token_score([text], rank=True),
    }


def many_texts(folder: Path, texts: list[str]) -> dict[str, Job]:
    """lm-evaluation-harness on many texts, at several batch sizes."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance("loglikelihood", {}, (text[:1], text[1:]), i) for i, text in enumerate(texts)
    ]
    jobs: dict[str, Job] = {}
    for batch in (1, 8, 32):
        harness = _harness(folder, batch)
        jobs[f"lm-eval loglikelihood, batch {batch}"] = _asking(harness, requests)
    return jobs


def _asking(harness: Any, requests: list[Any]) -> Job:
    return lambda: harness.loglikelihood(requests, disable_tqdm=True)


def _harness(folder: Path, batch: int) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(str(folder), device="cpu", dtype="float32", batch_size=batch)


@torch.no_grad()
def _evaluate_path(lm: LM, text: str) -> float:
    """What evaluate's perplexity metric computes, without its download of the model by name."""
    encoded = lm.tokenizer(text, return_tensors="pt", truncation=True, max_length=lm.context)
    logits = lm.model(**encoded).logits
    loss = torch.nn.functional.cross_entropy(
        logits[..., :-1, :].contiguous().transpose(1, 2),
        encoded["input_ids"][..., 1:].contiguous(),
        reduction="none",
    )
    return float(loss.mean().exp())
