"""Receipts of prompt designs: the choices of one prompt, and a whole evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.models.forms import Form
from lmlab.receipts.script import script


@dataclass(frozen=True)
class Question:
    """One prompt of an evaluation, as the model was given it."""

    prompt: str  # its text
    # how the answer would go on, by choice; for free answers the true one alone
    targets: Mapping[str, str]
    truth: str  # the right choice


def choices(
    model: str,
    prompt: str,
    targets: Mapping[str, str],
    probabilities: Sequence[float],
    form: Form = "plain",
) -> str:
    """The probability of each choice after one prompt, made to sum to one.

    Raises:
        InputError: there is nothing to choose from.
    """
    if not targets:
        raise InputError("This template has no choices.", "Its completion is what counts.")
    given = {"prompt": prompt, "targets": dict(targets), "form": form}
    return script("features/prompt/choices", [model], shares=probabilities, **given)


def evaluation(found: Evaluation, questions: Sequence[Question]) -> str:
    """Accuracy (of choices, by the sum of ln p) and the true answers' likelihood over a set, from
    all that was asked, in order.

    Raises:
        InputError: so much was asked that the script would be too long.
    """
    asked = [(one.prompt, dict(one.targets), one.truth) for one in questions]
    return script("features/prompt/evaluation", [found.model], found=found, asked=asked)
