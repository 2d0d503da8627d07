"""What the Compare tab shows of two models on two texts, as escaped HTML."""

from html import escape

from lmlab.numbers import large, signed
from lmlab.scoring.compared import LN2, Compared
from lmlab.scoring.scored import Scored

WAITING = '<p class="lm-why">Perplexity of both models on both texts will stand here.</p>'
WHY = (
    "Log-perplexity after minus before, in nats a token. On the task it should fall; on general "
    "text a rise is what tuning made the model forget."
)
APART = "The models have different tokens: only bits per byte compare; perplexities do not."


def sums(task: Compared, general: Compared | None) -> str:
    """A table: each text under each model."""
    rows = [("task text", task)] + ([("general text", general)] if general else [])
    same = all(found.same_tokens for _, found in rows)
    head = "".join(
        f"<th>{name}</th>"
        for name in ("", "PP ₁", "PP ₂", "Δ ln PP", "bits per byte ₁", "₂", "mean KL(1‖2)", "(2‖1)")
    )
    body = "".join(f"<tr>{_row(name, found)}</tr>" for name, found in rows)
    note = f"<p class='lm-why'>{escape(WHY if same else APART)}</p>"
    return (
        f'<p class="lm-pairnames">{_names(task)}</p>'
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Sums over both texts">'
        f'<table class="lm-table lm-sums"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _names(found: Compared) -> str:
    return f"1: <b>{escape(found.first.model)}</b> · 2: <b>{escape(found.second.model)}</b>"


def _row(name: str, found: Compared) -> str:
    first, second = found.first, found.second
    change = second.log_perplexity - first.log_perplexity
    cells = [
        large(first.perplexity),
        large(second.perplexity),
        _change(change) if found.same_tokens else "–",
        signed(first.bits_per_byte, 3),
        signed(second.bits_per_byte, 3),
        *(f"{signed(kl, 3)}" for kl in found.mean_kl),
    ]
    return f'<th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells)


def _change(nats: float) -> str:
    return ("+" if nats > 0 else "") + signed(nats, 3)


def said(found: Compared, alpha: float) -> str:
    """One line about a comparison."""
    first, second = _bits(found.first), _bits(found.second)
    if found.second.model.partition(" (")[0].partition("+")[2] == "" and alpha != 1:
        return "The second model has no adapter: α changes nothing."
    return f"{first} → {second} bits over the task text."


def _bits(scored: Scored) -> str:
    return f"{-scored.logprob / LN2:,.1f}"
