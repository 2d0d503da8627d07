"""Notes of what each tab shows, from what the session keeps of it: title and receipt."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.completion import receipt as completions
from lmlab.features.prompt import receipt as prompts
from lmlab.features.prompt.receipt import Question
from lmlab.features.tuning import receipt as tuning
from lmlab.lab import Lab
from lmlab.parts.columnar import Kept, Shown
from lmlab.parts.receipt_button import Note, quoted
from lmlab.receipts import texts
from lmlab.results.completions import Completion
from lmlab.results.controls import GenerateConfig
from lmlab.results.scored import Scored, TokenScore
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.specs import RunInfo

if TYPE_CHECKING:
    from lmlab.features.completion.branches import Tree
    from lmlab.features.prompt.measure_events import Measured
    from lmlab.features.prompt.run import Ran


def of_texts(shown: Shown | None) -> Note | None:
    """A scored text, under one model or two."""
    if shown is None:
        return None
    runs = [_light(run) for run in shown.runs]
    names = " and ".join(run.model for run in runs)

    def write() -> str:
        if len(runs) > 1 and _alike(shown.runs) and runs[0].windowing is None:
            return texts.two_models(runs[0], runs[1])
        return texts.likelihood(runs[0])

    return Note(shown.name, f"Likelihood of {quoted(runs[0].text)} under {names}", write)


def of_comparison(shown: Shown | None) -> Note | None:
    """A text under two models, on the Compare tab."""
    if shown is None or len(shown.runs) < 2:
        return None
    first, second = (_light(run) for run in shown.runs)
    base = second.model.partition(" (")[0]
    key = f"compare {first.model} {base} {hash((first.prefix, first.text))}"

    def write() -> str:
        if _alike(shown.runs):
            return texts.two_models(first, second)
        return texts.likelihood(first)

    return Note(key, f"{first.model} against {second.model} on {quoted(first.text)}", write)


def of_completion(tree: "Tree | None") -> Note | None:
    """A completion, drawn or chosen."""
    if tree is None or not tree.path():
        return None
    done = Completion(tree.model, tree.form, tree.path())
    title = f"Completion of {quoted(tree.prompt)} by {tree.model}"
    return Note(tree.name, title, lambda: completions.completion(done, tree.drawn))


def of_query(ran: "Ran | None") -> Note | None:
    """One query on the Prompt tab: its choices by likelihood, else its completion."""
    if ran is None:
        return None
    prompt = ran.asked.prompt

    def write() -> str:
        if ran.weighed:
            return prompts.choices(
                ran.model,
                prompt.text,
                prompt.targets,
                ran.weighed.probabilities,
                ran.asked.form,
            )
        done = Completion(ran.model, prompt.text, ran.steps)
        return completions.completion(done, GenerateConfig(temperature=0))

    end = " ".join(prompt.text.split())[-60:]
    return Note(uuid.uuid4().hex, f"Prompt ending in {quoted(end)}, asked of {ran.model}", write)


def of_study(lab: Lab) -> Callable[["Measured | None"], Note | None]:
    """A study on the Prompt tab; the receipt is its last design's."""

    def note(measured: "Measured | None") -> Note | None:
        if measured is None or measured.last is None:
            return None
        label, found = measured.results[-1]
        design = measured.last

        def write() -> str:
            known = {(p.row, p.draw) for p in found.predictions}
            questions = [
                Question(prompt.text, prompt.targets or {truth: prompt.target}, truth)
                for row, draw, prompt, truth in lab.prompts.prompts_of(design)
                if (row, draw) in known
            ]
            return prompts.evaluation(found, questions)

        title = f"{found.data}, {found.template}: {', '.join(name for name, _ in measured.results)}"
        return Note(
            f"study {found.template} {found.seconds}",
            f"Study of {title}; receipt of {label}",
            write,
        )

    return note


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A fine-tuning run that is over."""

    def write(owner: str, info: RunInfo) -> str:
        spec = lab.tuning.spec(owner, info.id)
        return tuning.finetuned(
            spec.model,
            spec.data,
            spec.template,
            spec.config,
            whole(info, info.config.steps),
            shipped=spec.origin == "shipped",
            learned=lab.tuning.learned(spec.model, spec.config),
            adapter=spec.adapter,
        )

    return of_runs(lab.tuning, "Fine-tuning", write)


def of_runs(
    runs: TuningRuns, kind: str, write: Callable[[str, RunInfo], str]
) -> Callable[[str, str], Note | None]:
    """A run of a kind that is over; ``write`` makes the receipt of an owner's run."""

    def note(owner: str, run: str) -> Note | None:
        try:
            info = runs.run(owner, run) if run else None
        except InputError:  # it has been deleted meanwhile
            return None
        if info is None or not info.is_over:
            return None
        return Note(f"run {run}", f"{kind}: {info.title}", lambda: write(owner, info))

    return note


def whole(info: RunInfo, steps: int) -> dict[str, float | None]:
    """What a run has reached on held-out rows, before and after.

    Raises:
        InputError: it has not made all its steps.
    """
    if info.step < steps:
        raise InputError("This run has not made all its steps.", "Resume it, then ask again.")
    return {"before": info.valid_before, "after": info.valid_loss}


def _light(kept: Kept) -> Scored:
    """A result with its tokens' log-probabilities and nothing else of them."""
    none = [value != value for value in kept.logprobs]
    tokens = tuple(
        TokenScore(0, "", 0, 0, None if empty else value, None, None)
        for value, empty in zip(kept.logprobs, none, strict=True)
    )
    return replace(kept.frame, tokens=tokens)


def _alike(runs: Sequence[Kept]) -> bool:
    """Whether two models cut a text into the same tokens."""
    one, two = runs[0], runs[1]
    return one.texts == two.texts and _spans(one) == _spans(two)


def _spans(kept: Kept) -> Any:
    return kept.columns[:3]
