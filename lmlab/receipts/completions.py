"""Receipts of completions: drawn again from the same seed, or only their likelihood."""

from collections.abc import Sequence

from lmlab.errors import InputError
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.receipts.script import arguments, literal, loading, script, source_of

COLDEST = 1e-4  # temperature below which logits would overflow
START = """\
lead, ids = tokenizer("").input_ids, tokenizer(PROMPT, add_special_tokens=False).input_ids
ids = ids if ids[: len(lead)] == lead else lead + ids  # unless the prompt brings its own start"""
BARE = """\
known = [tokenizer.bos_token_id, tokenizer.eos_token_id]
ids = tokenizer(PROMPT).input_ids or [token for token in known if token is not None][:1]"""


def completion(done: Completion, drawn: GenerateConfig | None) -> str:
    """The completion's text and ln P(completion | prompt).

    Args:
        done: the completion.
        drawn: the controls and the seed that all of it was drawn with; None where a token was
            chosen by hand, whose likelihood alone can be given again.

    Raises:
        InputError: there is no token yet.
    """
    if not done.steps:
        raise InputError("There is no completion yet.", "Press Run first.")
    sources = [source_of(done.model)]
    own = [
        *arguments(sources),
        f"PROMPT = {literal(done.prompt)}",
        *loading(sources),
        START if done.prompt else BARE,
        "start, total = len(ids), 0.0",
    ]
    found = [f"ln P = {done.logprob:.6f} nats over {len(done.steps)} tokens"]
    if drawn is None:
        body, title = _chosen(done), "ln P(completion | prompt) of tokens, some chosen by hand."
    else:
        body, title = _drawn(len(done.steps), drawn), "A completion, drawn again."
    last = [
        "print(repr(tokenizer.decode(ids[start:])))",
        'print(f"ln P = {total:.6f} nats over {len(ids) - start} tokens")',
    ]
    return script(title, found, [*own, *body, *last], sources)


def _chosen(done: Completion) -> list[str]:
    return [
        f"ids += {literal(list(done.ids))}",
        "with torch.no_grad():",
        "    logp = model(torch.tensor([ids])).logits[0, -len(ids) :].log_softmax(-1)",
        "for place in range(start, len(ids)):",
        "    total += float(logp[place - 1, ids[place]])",
    ]


def _drawn(length: int, drawn: GenerateConfig) -> list[str]:
    """One token after another; each position has a seed of its own."""
    warps = controls(drawn)
    loop = [
        f"    for index in range({length}):",
        "        logits = scores = model(torch.tensor([ids])).logits[:, -1]",
    ]
    if warps:
        loop += [
            "        for control in CONTROLS:",
            "            scores = control(torch.tensor([ids]), scores)",
        ]
    if drawn.greedy:
        loop.append("        token = int(scores[0].argmax())")
    else:
        loop += [
            "        generator.manual_seed((SEED * 1_000_003 + index) % 2**63)",
            "        p = scores.softmax(-1)[0]",
            "        token = int(torch.multinomial(p, 1, generator=generator))",
        ]
    head = [] if drawn.greedy else [f"SEED, generator = {drawn.seed}, torch.Generator()"]
    head += ["CONTROLS = [", *(f"    {warp}," for warp in warps), "]"] if warps else []
    return [
        *head,
        "with torch.no_grad():",
        *loop,
        "        total += float(logits.log_softmax(-1)[0, token])",
        "        ids.append(token)",
    ]


def controls(drawn: GenerateConfig) -> Sequence[str]:
    """The sampling controls as calls of transformers' own processors, in its order."""
    found = []
    if drawn.repetition_penalty != 1:
        found.append(f"RepetitionPenaltyLogitsProcessor({float(drawn.repetition_penalty)!r})")
    if drawn.greedy:
        return found
    if drawn.temperature != 1:
        found.append(f"TemperatureLogitsWarper({max(float(drawn.temperature), COLDEST)!r})")
    if drawn.top_k:
        found.append(f"TopKLogitsWarper({int(drawn.top_k)})")
    if drawn.top_p < 1:
        found.append(f"TopPLogitsWarper({float(drawn.top_p)!r})")
    if drawn.min_p > 0:
        found.append(f"MinPLogitsWarper({float(drawn.min_p)!r})")
    return found
