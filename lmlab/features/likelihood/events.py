"""What happens on the Likelihood tab: handlers that ask the lab and hand results to the views."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.likelihood.definition import definition
from lmlab.features.likelihood.figures import figures
from lmlab.lab import Lab
from lmlab.parts import plots, strip, tables, waiting
from lmlab.parts.errors import alerts
from lmlab.parts.strip import Shown
from lmlab.progress import Loading
from lmlab.scoring.scored import Scored

PATIENCE = 0.2  # seconds between two signs of progress
N_DRAWN = 5


def scorer(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler that scores a text: yields [status, stop button, *what is drawn]."""

    @alerts
    def score(
        text: str, prefix: str, model: str, second: str, start: str, chat: bool
    ) -> Iterator[list[Any]]:
        yield _busy(f"{model}: reading …", 0)
        runs: list[Scored] = []
        for name in (model, second) if second else (model,):
            last = 0.0
            asked = lab.score(name, text or "", prefix or "", bos=start or "tokenizer", chat=chat)
            with closing(asked) as steps:
                for step in steps:
                    if isinstance(step, Scored):
                        runs.append(step)
                    elif isinstance(step, Loading):
                        yield _busy(step.message, 0)
                    elif time.monotonic() - last > PATIENCE:
                        last = time.monotonic()
                        said = f"{name}: {step.done:,} of {step.total:,} tokens"
                        yield _busy(said, step.done / max(1, step.total))
        yield [*waiting.idle(""), *draw(Shown.of(runs), *runs)]

    return score


def draw(shown: Shown, scored: Scored, other: Scored | None = None) -> list[Any]:
    """Strip, plot, figures, definition and what the session keeps."""
    return [
        strip.payload(scored, other, name=shown.name),
        plots.surprisal(scored, other),
        figures(scored, other),
        definition(scored, several=other is not None),
        shown,
    ]


def table(action: str) -> Callable[..., str]:
    """The handler that hands the factors to the visitor: to the clipboard or as a file."""

    @alerts
    def hand_over(shown: Shown | None) -> str:
        if shown is None:
            raise InputError("There is no table yet.", "Score a text first.")
        scored, *others = shown.runs
        other = next((one for one in others if strip.same_tokens(scored, one)), None)
        text = tables.to_csv(scored, other, separator="\t" if action == "copy" else ",")
        # A new name each time, so that the page notices a second request for the same table.
        value = {"action": action, "name": uuid.uuid4().hex, "file": "factors.csv", "text": text}
        return json.dumps(value).replace("<", "\\u003c")

    return hand_over


def api(lab: Lab) -> Callable[..., dict[str, Any]]:
    """The endpoint for programs: the JSON of ``lmlab score --json``."""

    @alerts
    def score(text: str, prefix: str = "", model: str = "", top_k: int = 10) -> dict[str, Any]:
        """Log-likelihood and perplexity of a text, token by token, in nats."""
        if not all(isinstance(one, str) for one in (text, prefix, model)):
            raise InputError("text, prefix and model must be strings.")
        if type(top_k) is not int or not 0 <= top_k <= 100:
            raise InputError(f"top_k must be a whole number from 0 to 100, not {str(top_k)[:40]}.")
        with closing(lab.score(model or lab.settings.model, text, prefix, top_k=top_k)) as steps:
            return next(step for step in steps if isinstance(step, Scored)).to_dict()

    return score


def _busy(said: str, share: float) -> list[Any]:
    return [*waiting.busy(said, share), *[gr.skip()] * N_DRAWN]
