"""Receipts of prompt designs: the choices of one prompt, and a whole evaluation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.models.forms import Form
from lmlab.receipts.script import (
    LEAD,
    ROWS,
    TURN,
    arguments,
    literal,
    loading,
    script,
    source_of,
)

# ln P(answer | prompt), in nats.
LIKELIHOOD = """ROWS
def logp(prompt, answer):
    table, ids = rows(model, prompt, answer)
    return float(table.gather(1, ids[:, None]).sum())

"""


@dataclass(frozen=True)
class Question:
    """One prompt of an evaluation, as the model was given it.

    Attributes:
        prompt: its text.
        targets: how the answer would go on, by choice; for free answers the true one alone.
        truth: the right choice.
    """

    prompt: str
    targets: Mapping[str, str]
    truth: str


def choices(
    model: str,
    prompt: str,
    targets: Mapping[str, str],
    probabilities: Sequence[float],
    form: Form = "plain",
) -> str:
    """The probability of each choice after one prompt, made to sum to one.

    Args:
        model: its name.
        prompt: as the model was given it.
        targets: how the prompt would go on, by choice.
        probabilities: that lmlab found, in the same order.
        form: of the prompt.

    Raises:
        InputError: there is nothing to choose from.
    """
    if not targets:
        raise InputError("This template has no choices.", "Its completion is what counts.")
    sources = [source_of(model)]
    body = [
        *arguments(sources),
        f"PROMPT = {literal(prompt)}",
        f"TARGETS = {literal(dict(targets))}",
        *loading(sources),
        LEAD,
        _likelihood(form),
        "with torch.no_grad():",
        "    found = torch.tensor([logp(PROMPT, target) for target in TARGETS.values()])",
        "for choice, value, p in zip(TARGETS, found, found.softmax(0)):",
        '    print(f"{choice}: ln P = {float(value):.6f} nats, share {float(p):.6f}")',
    ]
    shares = ", ".join(f"{value:.6f}" for value in probabilities)
    title = f"The choices of a prompt by likelihood, in the {form} form."
    return script(title, [f"shares {shares}"], body, sources)


def evaluation(found: Evaluation, questions: Sequence[Question]) -> str:
    """Accuracy (of choices, by the sum of ln p) and the true answers' likelihood over a set.

    Args:
        found: the figures.
        questions: all that was asked, in order.

    Raises:
        InputError: so much was asked that the script would be too long.
    """
    sources = [source_of(found.model)]
    asked = [[one.prompt, dict(one.targets), one.truth] for one in questions]
    lines = ",\n    ".join(literal(json.dumps(one, ensure_ascii=False)) for one in asked)
    body = [
        *arguments(sources),
        f"ASKED = [  # prompt, how each choice goes on, the right choice\n    {lines},\n]",
        *loading(sources),
        LEAD,
        _likelihood(found.form),
        "right, total = 0, 0.0",
        "for prompt, targets, truth in map(json.loads, ASKED):",
        "    with torch.no_grad():",
        "        scores = {name: logp(prompt, target) for name, target in targets.items()}",
        "    right += max(scores, key=scores.get) == truth",
        "    total -= scores[truth]",
    ]
    said = [f"NLL = {found.nll.mean:.6f} nats"]
    if found.chosen:
        said = [f"accuracy by sum = {found.by_way['sum']:.6f},", *said]
        body.append('print(f"accuracy by sum = {right / len(ASKED):.6f}")')
    body.append('print(f"NLL of the true answer = {total / len(ASKED):.6f} nats")')
    kind = "choices and the true answers" if found.chosen else "the true answers"
    title = f"A design on {len(questions)} prompts in the {found.form} form: {kind}, by likelihood."
    return script(title, said, body, sources)


def _likelihood(form: Form) -> str:
    return LIKELIHOOD.replace("ROWS", TURN if form == "chat" else ROWS)
