"""A tree of continuations as JSON for the page and for programs, as CSV, as lines of text, and its
receipt.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lmlab.generation.config import GenerateConfig
from lmlab.numbers import probability
from lmlab.parts.strip import dump
from lmlab.parts.tables import csv_of
from lmlab.receipts.script import script

if TYPE_CHECKING:
    from lmlab.generation.continuations import Continuations, Shaped

SHOWN = 0.01  # probability of what is listed
CHECKED = 12  # paths of a receipt
Fact = tuple[tuple[int, ...], str, float, float]  # ids, text, ln p, p after the controls


def payload(tree: "Continuations", found: "Shaped", start: Sequence[str], most: int) -> str:
    """The map's data: places as [parent, text, p, p after, state], where the state is 0 for one
    that was not looked at, 1 for an expanded one, 2 for an end. ``start`` are the tokens between
    the prompt and the map, ``most`` how many tokens the vocabulary has."""
    places = [
        [one.parent, one.text, _digits(math.exp(one.logprob)), _digits(found.after[i]),
         2 if one.end else int(i in tree.row)]
        for i, one in enumerate(tree.places)
    ]  # fmt: skip
    rest = {i: [*map(_digits, found.rest[i]), found.kept[i]] for i in tree.row}
    paths: list[tuple[str, Sequence[int], bool]] = [("greedy", tree.greedy, False)]
    paths += [(f"beam {i}", path, False) for i, path in enumerate(tree.beams, 1)]
    paths += [(f"sample {i}", path, out) for i, (path, out) in enumerate(found.samples, 1)]
    return dump(
        {
            "model": tree.model,
            "start": list(start),
            "depth": tree.depth,
            "size": most,
            "places": places,
            "rest": rest,
            "paths": paths,
        }
    )


def to_dict(tree: "Continuations", found: "Shaped") -> dict[str, Any]:
    """A JSON-ready dict."""
    return {
        "model": tree.model,
        "prompt": tree.prompt,
        "depth": tree.depth,
        "places": list(_rows(tree, found)),
        "rest": [
            {"place": i, "probability": own, "after": after, "kept": found.kept[i]}
            for i, (own, after) in found.rest.items()
        ],
        "greedy": list(tree.greedy),
        "beams": [list(path) for path in tree.beams],
        "samples": [{"places": list(path), "leaves": out} for path, out in found.samples],
    }


def to_csv(tree: "Continuations", found: "Shaped") -> str:
    """One row for each place."""
    return csv_of(_rows(tree, found))


def _rows(tree: "Continuations", found: "Shaped") -> Iterator[dict[str, Any]]:
    for i, one in enumerate(tree.places[1:], 1):
        yield {
            "place": i,
            "parent": one.parent,
            "depth": one.depth,
            "id": one.id,
            "token": one.text,
            "text": tree.text(i),
            "logprob": one.logprob,
            "total_logprob": one.total,
            "after": found.after[i],
            "total_after": found.along(tree.path(i)),
            "expanded": i in tree.row,
            "end": one.end,
        }


def lines(tree: "Continuations", found: "Shaped") -> Iterator[str]:
    """The tree indented, its likelier part: probability from the prompt on, the same after the
    controls, token."""
    below: dict[int, list[int]] = {}
    for i, one in enumerate(tree.places[1:], 1):
        below.setdefault(one.parent, []).append(i)
    waiting = [0]
    while waiting:
        place = waiting.pop()
        one, own = tree.places[place], math.exp(tree.places[place].total)
        if place:
            controlled = found.along(tree.path(place))
            yield f"{own:7.2%} {controlled:7.2%}  {'  ' * (one.depth - 1)}{one.text!r}"
        likely = [i for i in below.get(place, ()) if math.exp(tree.places[i].total) >= SHOWN]
        waiting += sorted(likely, key=lambda i: tree.places[i].total)
    yield ""
    best = [("greedy", tree.greedy), *((f"beam {i}", one) for i, one in enumerate(tree.beams, 1))]
    for name, path in best:
        p = probability(math.exp(tree.places[path[-1]].total))
        yield f"{name:9} p {p}  {tree.text(path[-1])!r}"
    for i, (path, out) in enumerate(found.samples, 1):
        text = tree.text(path[-1]) if path else ""
        p = probability(found.along(path))
        yield f"sample {i:<2} p {p} after the controls  {text!r}{' …' if out else ''}"


def facts(tree: "Continuations", found: "Shaped") -> tuple[Fact, ...]:
    """What a receipt gives again: the greedy path, those of the beam, the likeliest others."""
    ends = [path[-1] for path in (tree.greedy, *tree.beams)]
    others = sorted(range(1, len(tree.places)), key=lambda i: -tree.places[i].total)
    chosen = list(dict.fromkeys([*ends, *others]))[:CHECKED]
    return tuple(
        (tree.tokens(i), tree.text(i), tree.places[i].total, found.along(tree.path(i)))
        for i in chosen
    )


def receipt(
    model: str, prompt: str, start: Sequence[int], told: Sequence[Fact], config: GenerateConfig
) -> str:
    """Probabilities of paths, before and after the controls, by fresh forward passes."""
    given = {"prompt": prompt, "start": list(start), "told": told, "drawn": config}
    return script("features/completion/tree", [model], **given)


def _digits(p: float) -> float:
    return float(f"{p:.6g}")
