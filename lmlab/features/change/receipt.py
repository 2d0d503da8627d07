"""Receipts of change: ΔW of a matrix, the rank knife, drift."""

from collections.abc import Sequence

from lmlab.features.change.changes import Drift, KnifePoint, MatrixChange
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

Texts = Sequence[tuple[str, str]]
MERGED = """\
if hasattr(second, "merge_and_unload"):
    second = second.double().merge_and_unload()
before = {name: p.detach().double() for name, p in model.named_parameters()}
delta = {name: p.detach().double() - before[name] for name, p in second.named_parameters()}"""


def matrix(base: str, tuned: str, change: MatrixChange) -> str:
    """‖ΔW‖/‖W‖ and the largest singular values of what was added to one matrix.

    Args:
        base: a model's name.
        tuned: the name of what was made from it, with an adapter or as a whole.
        change: what lmlab found.
    """
    sources = [source_of(base), source_of(tuned)]
    body = [
        *arguments(sources),
        f"NAME = {literal(change.name)}",
        *loading(sources),
        MERGED,
        'name = NAME if NAME in delta else NAME + ".weight"',
        'print(f"share = {float(delta[name].norm() / before[name].norm()):.6f}")',
        "if delta[name].ndim == 2:",
        "    for value in torch.linalg.svdvals(delta[name])[:4]:",
        '        print(f"singular value {float(value):.6f}")',
    ]
    largest = ", ".join(f"{value:.6f}" for value in change.singular_values[:4])
    found = [f"‖ΔW‖/‖W‖ = {change.relative:.6f}", *([f"and {largest}"] if largest else [])]
    return script("What fine-tuning added to one matrix.", found, body, sources)


def knife(
    base: str, tuned: str, point: KnifePoint, task: Texts, general: Texts, turn: bool = False
) -> str:
    """Log-perplexity with the k largest singular values of every ΔW.

    Args:
        base: a model's name.
        tuned: the name of what was made from it.
        point: what lmlab found.
        task: (prefix, text) of the task; what is given before a text is not counted.
        general: the same of general text.
        turn: whether the prefixes of the task open a chat's turn.
    """
    sources = [source_of(base), source_of(tuned)]
    body = [
        *arguments(sources),
        f"K = {point.k}  # singular values kept",
        f"TASK = {literal([tuple(one) for one in task])}",
        f"GENERAL = {literal([tuple(one) for one in general])}",
        *loading(sources),
        LEAD,
        MERGED,
        TURN if turn else ROWS,
        "with torch.no_grad():",
        "    for name, p in model.named_parameters():",
        "        added = delta[name] if K else torch.zeros_like(delta[name])",
        "        if added.ndim == 2 and K:",
        "            U, S, V = torch.linalg.svd(added, full_matrices=False)",
        "            added = (U[:, :K] * S[:K]) @ V[:K]",
        "        p.copy_(before[name] + added)",
        '    for name, texts in (("task", TASK), ("general", GENERAL)):',
        "        pairs = [rows(model, prefix, text) for prefix, text in texts]",
        "        total = sum(float(table.gather(1, ids[:, None]).sum()) for table, ids in pairs)",
        "        mean = -total / sum(len(ids) for _, ids in pairs)",
        '        print(f"{name}: log-perplexity {mean:.6f} nats a token")',
    ]
    found = [f"{point.task:.6f} on the task, {point.general:.6f} on general text"]
    return script(f"The rank knife at k = {point.k}.", found, body, sources)


def drift(base: str, tuned: str, found: Drift, texts: Texts, turn: bool = False) -> str:
    """How far the tuned model's distributions are from the base's on one kind of text.

    Args:
        base: a model's name.
        tuned: the name of what was made from it.
        found: what lmlab found.
        texts: (prefix, text) of this kind.
        turn: whether the prefixes open a chat's turn.
    """
    sources = [source_of(base), source_of(tuned)]
    body = [
        *arguments(sources),
        f"TEXTS = {literal([tuple(one) for one in texts])}",
        *loading(sources),
        LEAD,
        TURN if turn else ROWS,
        "away = back = 0.0",
        "with torch.no_grad():",
        "    for prefix, text in TEXTS:",
        "        p, q = rows(second, prefix, text)[0], rows(model, prefix, text)[0]",
        "        away += float((p.exp() * (p - q)).sum(-1).mean()) / len(TEXTS) / math.log(2)",
        "        back += float((q.exp() * (q - p)).sum(-1).mean()) / len(TEXTS) / math.log(2)",
        'print(f"KL(tuned‖base) = {away:.6f} bits, KL(base‖tuned) = {back:.6f} bits")',
    ]
    said = [f"KL(tuned‖base) = {found.kl:.6f} bits, KL(base‖tuned) = {found.kl_reverse:.6f} bits"]
    return script("The distance between two models' distributions.", said, body, sources)
