"""Receipts of a corpus: how well the filter's model predicts the beginnings of documents."""

from collections.abc import Sequence

from lmlab.features.data.findings import Quality
from lmlab.receipts.script import arguments, literal, loading, script, source_of
from lmlab.receipts.surprisals import surprisals


def quality(model: str, found: Sequence[tuple[str, Quality]]) -> str:
    """Bits per byte and perplexity of some documents' beginnings.

    Args:
        model: its name.
        found: what was scored of each, and what lmlab found.
    """
    source, longest = source_of(model), max(score.n_tokens for _, score in found)
    texts = "".join(f"    {literal(text)},\n" for text, _ in found)
    body = [
        *arguments([source]),
        f"TEXTS = [  # beginnings of documents\n{texts}]",
        *loading([source]),
        surprisals(source, longest),
        "for text in TEXTS:",
        "    nats = surprisals(text)",
        "    bits = float(nats.sum()) / math.log(2) / len(text.encode())",
        '    print(f"{bits:.6f} bits per byte, perplexity {nats.mean().exp():.6f}")',
    ]
    bits = ", ".join(f"{score.bits_per_byte:.6f}" for _, score in found)
    return script(
        "How well a model predicts documents: the filter.",
        [f"bits per byte {bits}"],
        body,
        [source],
    )
