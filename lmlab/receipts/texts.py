"""Receipts of scored texts: the log-likelihood under one model, and two models compared."""

import math
from collections.abc import Sequence

from lmlab.errors import InputError
from lmlab.measures import measures
from lmlab.receipts.script import (
    WHOLE,
    WINDOWED,
    Source,
    arguments,
    literal,
    loading,
    script,
    source_of,
)
from lmlab.scoring.compared import Compared
from lmlab.scoring.scored import Scored, Windowing

READ = """\
coded = tokenizer(PREFIX + TEXT, add_special_tokens=False, return_offsets_mapping=True)
lead = tokenizer.convert_tokens_to_ids(LEAD)
ids, n = torch.tensor(lead + coded.input_ids), len(PREFIX)
first = len(lead) + next(i for i, (a, b) in enumerate(coded.offset_mapping) if b > n or a == n)
first = max(1, first)  # what nothing stands before has no probability"""
READ_ALL = """\
lead = tokenizer.convert_tokens_to_ids(LEAD)
ids = torch.tensor(lead + tokenizer(TEXT, add_special_tokens=False).input_ids)
first = max(1, len(lead))  # what nothing stands before has no probability"""
NOTHING = "Nothing of this text was scored."


def likelihood(scored: Scored) -> str:
    """ln P(text | prefix) of a scored text.

    Raises:
        InputError: nothing was scored.
    """
    if not scored.n_tokens:
        raise InputError(NOTHING, "Add a prefix or more text.")
    sources = [source_of(scored.model)]
    body = [
        *arguments(sources),
        *_given(scored),
        *loading(sources),
        READ if scored.prefix else READ_ALL,
        "",
        "",
        _rows(scored.windowing, sources, scored.limit),
        "",
        "with torch.no_grad():",
        "    table, y = rows(model), ids[first:]",
        "    each = table.gather(1, y[:, None])[:, 0].double()",
        'print(f"ln P = {float(each.sum()):.6f} nats over {len(each)} tokens")',
        'print(f"perplexity = {float(each.mean().neg().exp()):.6f}")',
    ]
    found = [
        f"ln P = {scored.logprob:.6f} nats over {scored.n_tokens} tokens,",
        f"perplexity = {scored.perplexity:.6f}",
    ]
    for one in measures(scored.tokens.columns):
        if one.receipt:
            mean = f"{one.value(scored.tokens.columns)[scored.tokens.known].mean():.6f} {one.unit}"
            found[-1] += ","
            found.append(f"mean {one.short} = {mean}".rstrip())
            body.append(f"values = {one.receipt}")
            show = f"mean {one.short} = {{float(values.double().mean()):.6f}} {one.unit}".rstrip()
            body.append(f"print(f{literal(show)})")
    return script("ln P(text | prefix) of a text, token by token.", found, body, sources)


def compared(found: Compared) -> str:
    """ln P of a text under two models, and the mean KL divergences of their distributions.

    Raises:
        InputError: nothing was scored, or the two have different tokens.
    """
    first, second = found.first, found.second
    if not found.same_tokens:
        raise InputError(
            "A receipt compares models of the same tokens alone.",
            "Score each by itself on the Likelihood tab.",
        )
    if not first.n_tokens:
        raise InputError(NOTHING, "Add a prefix or more text.")
    return two_models(first, second, found.mean_kl)


def two_models(first: Scored, second: Scored, means: tuple[float, float] | None = None) -> str:
    """Like ``compared``, from two scorings of the same tokens and, where known, the mean KLs."""
    sources = [source_of(first.model), source_of(second.model)]
    body = [
        *arguments(sources),
        *_given(first),
        *loading(sources),
        READ if first.prefix else READ_ALL,
        "",
        "",
        _rows(first.windowing, sources, min(first.limit or 0, second.limit or 0)),
        "",
        "with torch.no_grad():",
        "    one, two = rows(model).double(), rows(second).double()",
        "for name, table in ((1, one), (2, two)):",
        "    logp = float(table.gather(1, ids[first:, None]).sum())",
        '    print(f"ln P{name} = {logp:.6f} nats")',
        "for name, p, q in (('1‖2', one, two), ('2‖1', two, one)):",
        "    kl = float((p.exp() * (p - q)).sum(-1).mean()) / math.log(2)",
        '    print(f"mean KL({name}) = {kl:.6f} bits")',
    ]
    known = [f"ln P1 = {first.logprob:.6f} nats, ln P2 = {second.logprob:.6f} nats"]
    if means and not math.isnan(means[0]):
        known[0] += ","
        known.append(f"mean KL(1‖2) = {means[0]:.6f} bits, mean KL(2‖1) = {means[1]:.6f} bits")
    return script("One text under two models.", known, body, sources)


def _given(scored: Scored) -> list[str]:
    return [
        *([f"PREFIX = {literal(scored.prefix)}"] if scored.prefix else []),
        f"TEXT = {literal(scored.text)}",
        f"LEAD = {literal(list(scored.context))}  # stands before everything",
    ]


def _rows(windowing: Windowing | None, sources: Sequence[Source], limit: int | None) -> str:
    if windowing is None:
        return WHOLE
    sliding = windowing.mode == "sliding"
    names = "model, second" if len(sources) > 1 else "model,"
    soft = (
        f'max(getattr(getattr(one, "active_peft_config", 0), "num_virtual_tokens", 0) '
        f"for one in ({names}))"
    )
    changes = {
        "rows(model)": "rows(asked)",
        "= model(ids": "= asked(ids",
        "SOFT": soft if any(source.adapter for source in sources) else "0",
        "KEPT(limit)": f"(limit - {windowing.stride})" if sliding else "limit // 2",
        "NEXT": "high - 1 - limit" if sliding else "low - 1",
        "LIMIT": "the context's",
        "STEP": str(windowing.stride),
    }
    text = WINDOWED
    if limit:
        text = text.replace("model.config.max_position_embeddings - SOFT", str(limit))
    for name, value in changes.items():
        text = text.replace(name, value)
    return text.replace(" - 0\n", "\n")
