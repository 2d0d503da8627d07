"""Token measures: what is made of a model's next-token statistics, one file a measure.

Every module of this package, and every file that ``LMLAB_MEASURES`` names, has one constant
``MEASURE``. Strip, card, table, CSV, JSON, terminal, receipts and documents take it from there.

What a measure is computed from are columns, one number a token, NaN where there is none:

- ``logprob``: ln p(x_i | x_{<i}); ``best``: ln p of the model's favourite there. In nats.
- ``rank``: 1 for the favourite. ``entropy``: of the whole distribution, in nats.
- ``id``: the token's, where a whole text is at hand (not while a completion grows).
- ``logprob_2``, ``rank_2`` …: the same under a second model; ``kl``, ``kl_reverse``: divergence of
  the two distributions, in nats; ``bytes``: of a piece of text that both models' tokens tile.
"""

import importlib
import math
import os
import pkgutil
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmlab import numbers
from lmlab.errors import InputError

Column = NDArray[np.float64]
Columns = Mapping[str, Column]
VARIABLE = "LMLAB_MEASURES"


@dataclass(frozen=True, slots=True)
class Of:
    """One column times a factor, or its exponential: the page makes it from the same numbers."""

    column: str
    times: float = 1.0
    exp: bool = False  # whether e is raised to it
    gap: bool = False  # whether it is the second model's minus the first's
    per: str = ""  # the column that it is divided by

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it reads."""
        second = f"{self.column}_2" if self.gap else ""
        return tuple(filter(None, (self.column, second, self.per)))

    def __call__(self, columns: Columns) -> Column:
        found = columns[self.column]
        found = (columns[f"{self.column}_2"] - found if self.gap else found) * self.times
        found = found / columns[self.per] if self.per else found
        return np.exp(found) if self.exp else found


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a token can be coloured by."""

    order: int  # its place among all measures
    key: str  # its name in code
    label: str  # its name on the page
    about: str  # what it tells, and where it comes from, in a sentence or two
    formula: str  # the lecture's letters; ``_{…}`` is set low
    unit: str  # of its values and edges; empty where it has none
    value: Callable[[Columns], Column]  # from columns to its values
    # where one colour ends and the next begins, from expected to surprising
    edges: tuple[float, ...]
    labels: tuple[str, ...]  # one for each colour
    name: str  # of its column in CSV and JSON
    short: str = ""  # its name above a column of numbers; by default its name on the page
    needs: tuple[str, ...] = ()  # the columns that ``value`` reads; those of an ``Of`` are known
    pair: bool = False  # whether it compares two models
    diverging: bool = False  # whether the colours go from blue over none to orange
    digits: int | None = 2  # after the decimal point; None shows a probability
    # an expression of torch for its values, over ``each`` (ln p of the tokens, [N]), ``table`` (ln
    # p of the whole vocabulary, [N, V]) and ``y`` (the tokens' ids, [N]); empty leaves it out of
    # receipts
    receipt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "short", self.short or self.label)
        if isinstance(self.value, Of):
            object.__setattr__(self, "needs", self.value.needs)

    def fits(self, columns: Columns) -> bool:
        """Whether there is all that it needs."""
        return all(name in columns for name in self.needs)

    def level(self, value: float) -> int:
        """The colour of a value: 0 (expected) to 8; where they diverge 4 is none.

        >>> [measure("surprisal").level(x) for x in (0.3, 99)], measure("probability").level(0.5)
        ([0, 8], 3)
        """
        if self.edges[0] > self.edges[-1]:
            return bisect_right([-edge for edge in self.edges], -value)
        return bisect_right(self.edges, value)

    def show(self, value: float) -> str:
        """A value without its unit.

        >>> measure("rank").show(1234.0), measure("lift").show(0.5), measure("lift").show(math.nan)
        ('1,234', '+0.50', '–')
        """
        if math.isnan(value):
            return "–"
        if self.digits is None:
            return numbers.probability(value)
        return ("+" if self.diverging and value > 0 else "") + numbers.signed(value, self.digits)

    def said(self, value: float) -> str:
        """A value with its name and unit.

        >>> measure("surprisal").said(0.25)
        'surprisal 0.25 bits'
        """
        return f"{self.short} {self.show(value)} {self.unit}".rstrip()


def measures(columns: Columns | None = None) -> tuple[Measure, ...]:
    """All measures in their order, or those for which there is what they need.

    Raises:
        InputError: a file that ``LMLAB_MEASURES`` names holds none, or two share a name.
    """
    known = _found(os.environ.get(VARIABLE, ""))
    return known if columns is None else tuple(one for one in known if one.fits(columns))


def measure(key: str) -> Measure:
    """A measure by its key.

    Raises:
        InputError: there is none; lists those that there are.
    """
    known = {one.key: one for one in measures()}
    if key not in known:
        raise InputError(f"There is no measure ‘{key[:40]}’.", f"There are: {', '.join(known)}.")
    return known[key]


@lru_cache(maxsize=8)
def _found(places: str) -> tuple[Measure, ...]:
    """The package's measures, and those of files and folders."""
    names = (info.name for info in pkgutil.iter_modules(__path__))
    found: list[Measure] = [importlib.import_module(f"{__name__}.{n}").MEASURE for n in names]
    for place in filter(None, places.split(os.pathsep)):
        path = Path(place)
        found += map(_of_file, sorted(path.glob("*.py")) if path.is_dir() else [path])
    for part in ("key", "name"):
        taken = [getattr(one, part) for one in found]
        if twice := next((name for name in taken if taken.count(name) > 1), ""):
            raise InputError(f"Two measures have the {part} ‘{twice}’.", "Rename one.")
    return tuple(sorted(found, key=lambda one: (one.order, one.key)))


def _of_file(path: Path) -> Measure:
    spec = spec_from_file_location(f"lmlab_measure_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"{path} is no Python file.", f"{VARIABLE} names files and folders.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, "MEASURE", None)
    if not isinstance(found, Measure):
        raise InputError(f"{path} has no MEASURE.", "See ‘A measure in five minutes’.")
    return found
