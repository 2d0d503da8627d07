"""What happens on the Likelihood tab: handlers that ask the lab and hand results to the views."""

import uuid
from collections.abc import Callable
from typing import Any

from lmlab.errors import InputError
from lmlab.features.likelihood.views import definition, figures
from lmlab.lab import Lab
from lmlab.memo import Memo
from lmlab.models.refs import ModelRef
from lmlab.parts import plots, strip, tables
from lmlab.parts.examples import EXAMPLES
from lmlab.parts.receipt_button import Note, quoted
from lmlab.parts.stream import Busy, Work, result
from lmlab.parts.strip import Shown, same_tokens
from lmlab.progress import Progress
from lmlab.receipts import texts
from lmlab.scoring.scored import Scored

KNOWN = 16  # results of the page's own texts that are kept


def scorer(lab: Lab) -> Callable[..., Work]:
    """The handler that scores a text; the page's own, which many open at once, is scored once."""
    known, own = Memo[Any, Scored](KNOWN), {example.text for example in EXAMPLES}

    def score(text: str, prefix: str, model: str, second: str, start: str, chat: bool) -> Work:
        yield Busy(f"{model}: reading …")
        runs: list[Scored] = []
        for name in (model, second) if second else (model,):

            def progress(step: Progress, name: str = name) -> Busy:
                said = f"{name}: {step.done:,} of {step.total:,} tokens"
                return Busy(said, step.done / max(1, step.total))

            found = known.get(key := (name, text, prefix, start, chat))
            if found is None:
                how: Any = {"bos": start or "tokenizer", "chat": chat}
                asked = lab.score(name, text or "", prefix or "", **how)
                found = yield from result(asked, Scored, progress)
                if text in own and lab.store.ships(ModelRef.parse(name)):
                    known.put(key, found)
            runs.append(found)
        shown = Shown.of(runs)
        return {
            "strip": strip.payload(*runs, name=shown.name),
            "plot": plots.surprisal(*runs),
            "figures": figures(*runs),
            "definition": definition(runs[0]),
            "shown": shown,
        }

    return score


def table(action: str) -> Callable[..., str]:
    """The handler that hands the factors to the visitor: to the clipboard or as a file."""

    def hand_over(shown: Shown | None) -> str:
        if shown is None:
            raise InputError("There is no table yet.", "Score a text first.")
        scored, *others = shown.runs
        other = next((one for one in others if same_tokens(scored, one)), None)
        text = tables.to_csv(scored, other, separator="\t" if action == "copy" else ",")
        # A new name each time, so that the page notices a second request for the same table.
        value = {"action": action, "name": uuid.uuid4().hex, "file": "factors.csv", "text": text}
        return strip.dump(value)

    return hand_over


def note(shown: Shown | None) -> Note | None:
    """Title and receipt of a scored text, under one model or two."""
    if shown is None:
        return None
    runs = shown.runs
    names = " and ".join(run.model for run in runs)

    def write() -> str:
        if len(runs) > 1 and same_tokens(*runs) and runs[0].windowing is None:
            return texts.two_models(runs[0], runs[1])
        return texts.likelihood(runs[0])

    return Note(shown.name, f"Likelihood of {quoted(runs[0].text)} under {names}", write)


def api(lab: Lab) -> Callable[..., dict[str, Any]]:
    """The endpoint for programs: the JSON of ``lmlab score --json``."""

    def score(text: str, prefix: str = "", model: str = "", top_k: int = 10) -> dict[str, Any]:
        """Log-likelihood and perplexity of a text, token by token, in nats."""
        if not all(isinstance(one, str) for one in (text, prefix, model)):
            raise InputError("text, prefix and model must be strings.")
        if type(top_k) is not int or not 0 <= top_k <= 100:
            raise InputError(f"top_k must be a whole number from 0 to 100, not {str(top_k)[:40]}.")
        steps = lab.score(model or lab.settings.model, text, prefix, top_k=top_k)
        return next(step for step in steps if isinstance(step, Scored)).to_dict()

    return score
