"""What models were trained on: published mixtures, our own from its recipe, and the arithmetic of
epochs. Pure; the only file read is the base's own record of its training.

epochs of a part = weight · total / size: how often each of its tokens is read (Brown et al. 2020,
table 2.2).
"""

import json
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lmlab.assets import models_dir
from lmlab.errors import InputError
from lmlab.features.data.findings import Agreement, Mixed, Mixture, Part

# Muennighoff et al. 2023, arXiv 2305.16264: up to here repeats change the loss hardly more than
# new data would.
MOST_EPOCHS = 4.0
OUTSIDE = 3.0  # standard deviations: 99.7 % of draws lie within

GPT3 = Mixture(
    name="GPT-3",
    unit="billion tokens",
    total=300,
    parts=tuple(
        Part(name, size, weight, epochs, 1, 0.01, 0.01 if epochs < 1 else 0.1, 0.0, about)
        for name, size, weight, epochs, about in (
            ("Common Crawl", 410, 0.60, 0.44, "web pages, filtered for quality"),
            ("WebText2", 19, 0.22, 2.9, "pages that Reddit linked to"),
            ("Books1", 12, 0.08, 1.9, "books of the internet"),
            ("Books2", 55, 0.08, 0.43, "books of the internet"),
            ("Wikipedia", 3, 0.03, 3.4, "in English"),
        )
    ),
    source="Brown et al. 2020, Language Models are Few-Shot Learners, table 2.2",
    link="https://arxiv.org/abs/2005.14165",
    remark="The printed weights add to 101 %, because each is rounded. Better text gets more than "
    "its share: that is why WebText2 and Wikipedia are read several times and most of Common Crawl "
    "never.",
)

# Raw GiB, weight in per cent, epochs, in the order of the source.
_PILE = (
    ("Pile-CC", 227.12, 18.11, 1.0, "web pages"),
    ("PubMed Central", 90.27, 14.40, 2.0, "biomedical articles"),
    ("Books3", 100.96, 12.07, 1.5, "books; withdrawn later over copyright"),
    ("OpenWebText2", 62.77, 10.01, 2.0, "pages that Reddit linked to"),
    ("ArXiv", 56.21, 8.96, 2.0, "preprints"),
    ("Github", 95.16, 7.59, 1.0, "code"),
    ("FreeLaw", 51.15, 6.12, 1.5, "court opinions"),
    ("Stack Exchange", 32.20, 5.13, 2.0, "questions and answers"),
    ("USPTO Backgrounds", 22.90, 3.65, 2.0, "patents"),
    ("PubMed Abstracts", 19.26, 3.07, 2.0, "biomedical abstracts"),
    ("Gutenberg (PG-19)", 10.88, 2.17, 2.5, "books before 1919"),
    ("OpenSubtitles", 12.98, 1.55, 1.5, "films and series"),
    ("Wikipedia (en)", 6.38, 1.53, 3.0, "encyclopaedia"),
    ("DM Mathematics", 7.75, 1.24, 2.0, "generated problems"),
    ("Ubuntu IRC", 5.52, 0.88, 2.0, "chat"),
    ("BookCorpus2", 6.30, 0.75, 1.5, "books of new authors"),
    ("EuroParl", 4.59, 0.73, 2.0, "speeches, many languages"),
    ("HackerNews", 3.90, 0.62, 2.0, "comments"),
    ("YoutubeSubtitles", 3.73, 0.60, 2.0, "subtitles"),
    ("PhilPapers", 2.38, 0.38, 2.0, "philosophy"),
    ("NIH ExPorter", 1.89, 0.30, 2.0, "grant abstracts"),
    ("Enron Emails", 0.88, 0.14, 2.0, "e-mail of a firm, made public in court"),
)
PILE = Mixture(
    name="The Pile",
    unit="GiB",
    total=1254.20,
    parts=tuple(
        Part(name, size, percent / 100, epochs, 0.01, 0.0001, 0.1, 0.0, about)
        for name, size, percent, epochs, about in _PILE
    ),
    source="Gao et al. 2020, The Pile: An 800GB Dataset of Diverse Text for Language Modeling, "
    "table 1",
    link="https://arxiv.org/abs/2101.00027",
    remark="825 GiB of raw text make 1254 GiB in one pass over the Pile, because the authors "
    "repeat what they hold better. Here the epochs were chosen, and the weights follow.",
    size_digits=2,
)


def mixed(
    mixture: Mixture, weights: Sequence[float] = (), total: float | None = None
) -> list[Mixed]:
    """What each part's weight means: how much is read of it, and how often.

    Args:
        mixture: the parts.
        weights: one for each part, from 0 to 1, in place of the source's; they need not add to 1.
        total: how much is read, in the mixture's unit, in place of the source's.

    Raises:
        InputError: a weight or the total is no number from 0 on, or weights are missing.
    """
    chosen = list(weights) or [part.weight for part in mixture.parts]
    amount = mixture.total if total is None else total
    if len(chosen) != len(mixture.parts):
        raise InputError(f"{mixture.name} has {len(mixture.parts)} parts, not {len(chosen)}.")
    if not all(math.isfinite(x) and x >= 0 for x in (*chosen, amount)):
        raise InputError("Weights and the total are numbers from 0 on.")
    own = chosen == [part.weight for part in mixture.parts] and amount == mixture.total
    pairs = zip(mixture.parts, chosen, strict=True)
    return [_mixed(mixture, part, weight, amount, own=own) for part, weight in pairs]


def _mixed(mixture: Mixture, part: Part, weight: float, total: float, *, own: bool) -> Mixed:
    read = weight * total
    low, high = bounds(part, weight, total)
    agreement, words = agree(mixture, part, low, high) if own else ("unknown", "")
    return Mixed(part, read, read / part.size, low, high, agreement, words)


def bounds(part: Part, weight: float, total: float) -> tuple[float, float]:
    """The epochs that weights, sizes and draws within half a printed digit, or within 99.7 % of
    draws, allow."""
    half, wide = part.weight_step / 2, OUTSIDE * part.spread
    low = max(0.0, (weight - half) * total - wide) / (part.size + part.size_step / 2)
    high = ((weight + half) * total + wide) / (part.size - part.size_step / 2)
    return low, high


def agree(mixture: Mixture, part: Part, low: float, high: float) -> tuple[Agreement, str]:
    """Whether the source's epochs follow from its own weights, and why not exactly.

    >>> agree(GPT3, GPT3.parts[2], *bounds(GPT3.parts[2], 0.08, 300))[0]
    'explained'
    """
    if part.epochs is None:
        return "unknown", ""
    computed, step = part.weight * mixture.total / part.size, part.epochs_step / 2
    if abs(computed - part.epochs) <= step + 1e-9:
        return "same", f"The same, as far as {part.epochs:g} is printed."
    reach = f"{low:.2f} to {high:.2f}"
    if low <= part.epochs + step and part.epochs - step <= high:
        if part.spread:
            return "explained", f"Windows are drawn by chance: 99.7 % of draws give {reach}."
        return "explained", f"Rounding: the printed weight and size allow {reach}."
    if part.spread:
        return "apart", f"Further off than chance: 99.7 % of draws give {reach}."
    implied = 100 * part.epochs * part.size / mixture.total
    return "apart", (
        f"Not rounding alone, which allows {reach}: {part.epochs:g} epochs of {part.size:g} "
        f"{mixture.unit} would be a weight of {implied:.1f} %, not {100 * part.weight:g} %. The "
        "source does not say why."
    )


def mixtures() -> list[Mixture]:
    """All that are known, the first one first on the page."""
    own = base()
    return [GPT3, *([own] if own else []), PILE]


# Tokens of each part of the base's corpus, as ``python -m recipes.tokenizer`` prints them.
BASE_TOKENS: Mapping[str, int] = MappingProxyType(
    {
        "stories": 5_379_071,
        "storybooks": 371_941,
        "books_children": 3_539_378,
        "books_easy": 2_412_763,
        "wiki": 2_882_863,
        "tinyshakespeare": 401_126,
        "tasks": 7_664_848,
        "tasks_composed": 5_705_222,
        "tasks_invented": 7_833_110,
    }
)


def base() -> Mixture | None:
    """The embedded base's own mixture, from the record beside its weights; None without one."""
    record = models_dir() / "base" / "training.json"
    try:
        story = json.loads(record.read_text(encoding="utf-8"))
        return own_mixture(story["rounds"], story["mixture"], BASE_TOKENS)
    except (OSError, ValueError, KeyError):
        return None


def own_mixture(
    rounds: Sequence[Mapping[str, Any]],
    parts: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, int],
) -> Mixture:
    """A mixture from a recipe whose shares change from phase to phase.

    Args:
        rounds: the training runs, one going on from the other.
        parts: name, shares by phase, epochs as counted, licence and origin.
        sizes: tokens of each part.
    """
    phases = [phase for config in rounds for phase in _phases(config)]
    read = sum(rows * length for _, rows, length in phases)
    found = []
    for part in parts:
        drawn = sum(part[key] * rows * length for key, rows, length in phases)
        variance = sum(
            part[key] * (1 - part[key]) * rows * length**2 for key, rows, length in phases
        )
        about = f"{part['origin']}; {part['licence']}"
        found.append(
            Part(
                name=part["name"],
                size=sizes[part["name"]] / 1e6,
                weight=drawn / read,
                epochs=part["epochs"],
                epochs_step=0.01,
                spread=math.sqrt(variance) / 1e6,
                about=about,
            )
        )
    shares = ", ".join(f"{key} on {rows * length / 1e6:.1f} M" for key, rows, length in phases)
    return Mixture(
        name="base, embedded here",
        unit="million tokens",
        total=read / 1e6,
        parts=tuple(found),
        source="lmlab’s own recipe: recipes/config.py, and the card of the model",
        remark="The shares of the recipe change on the way; a weight here is the mean over all "
        f"that was read (phases: {shares} tokens). The epochs of the card are counted from the "
        "windows that were drawn.",
        told="counted",
        size_digits=2,
    )


def _phases(config: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Of one run: which share counts, rows drawn by it, tokens of a row; as recipes.batches."""
    steps, size = config["tokens"] // config["batch_tokens"], config["batch_tokens"]
    long, short = config["window"], config["short_window"]
    if config.get("onward"):
        return [("onward", steps * (size // long), long)]
    first = round(steps * (1 - config["long_share"]))
    return [
        ("weight", first * (size // short), short),
        ("late", (steps - first) * (size // long), long),
    ]
