"""Results in a terminal: a scored text as a coloured strip, completions, two models compared."""

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmlab.generation.completions import Completion
from lmlab.measures import Measure, measure, measures
from lmlab.palette import DIFF_INK, DIFF_RAMP, INK, RAMP
from lmlab.scoring.compared import Compared
from lmlab.scoring.scored import Scored, remarks
from lmlab.scoring.words import words

WORST = 5


def plain_console() -> Console:
    """Standard output; colours appear only where it is a terminal that has them."""
    return Console(highlight=False, soft_wrap=True)


def print_scored(scored: Scored, colour_by: str = "surprisal") -> None:
    """Print a result."""
    console = plain_console()
    console.print(_strip(scored, measure(colour_by)))
    console.print()
    console.print(_figures(scored))
    console.print(_worst(scored))


def print_words(scored: Scored) -> None:
    """Print one word a line with its surprisal in bits, between tabs."""
    for word in words(scored):
        shown = "—" if word.bits is None else f"{word.bits:.4f}"
        print(f"{visible_text(word.text)}\t{shown}")


def print_completions(runs: Sequence[Completion]) -> None:
    """Print several models' completions of one prompt, one below the other."""
    console = plain_console()
    for run in runs:
        facts = f"{len(run.steps)} tokens, perplexity {run.perplexity:.2f}, {run.finish_reason}"
        console.print(Text(run.model, style="bold"), Text(f"  {facts}", style="dim"))
        console.print(Text(visible_text(run.prompt), style="dim") + Text(visible_text(run.text)))
        console.print()


def print_compared(found: Compared) -> None:
    """Print two models' figures on a text, and the tokens that moved most."""
    console = plain_console()
    table = Table("model", "perplexity", "bits per byte", box=None, header_style="dim")
    for scored in (found.first, found.second):
        table.add_row(Text(scored.model), f"{scored.perplexity:,.2f}", _bits_per_byte(scored))
    console.print(table)
    for note in found.notes:
        console.print(Text(note, style="dim"))
    if not found.same_tokens:
        console.print("The models have different tokens: compare them by bits per byte alone.\n")
        return
    forward, backward = found.mean_kl
    console.print(f"mean KL(1‖2) {forward:.4f} bits, KL(2‖1) {backward:.4f} bits\n")
    console.print(_moved(found))


def _moved(found: Compared) -> Table:
    """The tokens at which the distributions differ most."""
    headings = ("moved most", "KL(1‖2)", "KL(2‖1)", "log₂ p₂ − log₂ p₁")
    table = Table(*headings, box=None, header_style="dim")
    for i in found.moved("kl", WORST):
        text, difference = found.first.tokens.texts[i], found.differences[i]
        kl = [column[i] if column else None for column in (found.kl, found.kl_reverse)]
        numbers = (f"{value:.3f}" for value in (*kl, difference) if value is not None)
        table.add_row(_quoted(text), *numbers)
    return table


def _quoted(text: str) -> Text:
    """A token on one line."""
    return Text(visible_text(repr(text)[1:-1]))


def _strip(scored: Scored, by: Measure) -> Text:
    text = Text(scored.prefix, style="dim")
    ramp, ink = (DIFF_RAMP, DIFF_INK) if by.diverging else (RAMP, INK)
    for shown, value in zip(scored.tokens.texts, scored.measured(by.key), strict=True):
        level = by.level(value)
        coloured = f"{ink[level]} on {ramp[level]}" if ramp[level] != "#ffffff" else ""
        text.append(visible_text(shown), style="underline" if math.isnan(value) else coloured)
    return text


def visible_text(text: str) -> str:
    """Control characters as their pictures, so that a text cannot drive the terminal."""
    return "".join(c if c == "\n" or c.isprintable() else _picture(c) for c in text)


def _picture(char: str) -> str:
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _figures(scored: Scored) -> Table:
    table, w = Table.grid(padding=(0, 2)), scored.windowing
    rows = [
        ("model", scored.model),
        ("perplexity", f"{scored.perplexity:,.2f}"),
        ("log-perplexity", f"{scored.log_perplexity:.4f} nats a token"),
        ("log-likelihood", f"{scored.logprob:,.3f} nats"),
        ("bits per byte", _bits_per_byte(scored)),
        ("scored", f"{scored.n_tokens:,} tokens, {scored.n_bytes:,} bytes"),
        ("start", " ".join(scored.context) or "nothing before the first token"),
        *([("windows", f"{w.count} {w.mode}, stride {w.stride}")] if w else []),
    ]
    rows += [("note", note) for note in remarks(scored)]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def _bits_per_byte(scored: Scored) -> str:
    return "—" if math.isnan(scored.bits_per_byte) else f"{scored.bits_per_byte:.4f}"


def _worst(scored: Scored) -> Table:
    """The most surprising tokens by every measure, and what the model would rather have seen."""
    tokens = scored.tokens
    values = [(one, one.value(tokens.columns)) for one in measures(tokens.columns)]
    headings = (f"{one.short}\n{one.unit}".rstrip() for one, _ in values)
    table = Table("most\nsurprising", *headings, "expected", box=None, header_style="dim")
    table.pad_edge, table.padding = False, (0, 1, 0, 0)
    order = np.argsort(tokens.columns["logprob"], kind="stable")[: scored.n_tokens]  # NaN is last
    for i in order[:WORST].tolist():
        best = tokens.top.of(i, 1)
        shown = (one.show(float(column[i])) for one, column in values)
        table.add_row(_quoted(tokens.texts[i]), *shown, _quoted(best[0].text) if best else Text(""))
    return table
