"""Very large numbers as people say them."""

import math
from collections.abc import Sequence

YEAR = 365.25 * 24 * 3600
BYTES = [(f" {unit}", 1e3**i) for i, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB", "EB"))]
COUNTS = (("", 1), (" k", 1e3), (" M", 1e6), (" B", 1e9), (" T", 1e12))
TIMES = (  # up to so many seconds, in which unit, with how many decimals
    (90, "s", 1, 0),
    (5400, "min", 60, 0),
    (2 * 86_400, "h", 3600, 1),
    (2 * YEAR, "days", 86_400, 0),
    (1e6 * YEAR, "years", YEAR, 0),
)


def size(n_bytes: float) -> str:
    """Bytes.

    >>> size(0), size(950_000), size(349_208_518_656)
    ('0', '950 kB', '349 GB')
    """
    return _scaled(n_bytes, BYTES)


def short(count: float) -> str:
    """A count.

    >>> short(298_416), short(4_718_592), short(174_604_259_328), short(2e5)
    ('298 k', '4.72 M', '175 B', '200 k')
    """
    return _scaled(count, COUNTS)


def flops(value: float) -> str:
    """A number with its power of ten.

    >>> flops(3.1428e23)
    '3.14·10²³'
    """
    power = math.floor(math.log10(value)) if value > 0 else 0
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value / 10.0**power:.3g}·10{raised}"


def duration(seconds: float) -> str:
    """Seconds, however many.

    >>> duration(0.2), duration(41.2), duration(7300), duration(2.2e6), duration(1e9)
    ('less than a second', '41 s', '2.0 h', '25 days', '32 years')
    """
    if seconds < 1:
        return "less than a second"
    for most, unit, each, digits in TIMES:
        if seconds < most:
            return f"{seconds / each:,.{digits}f} {unit}"
    return f"{flops(seconds / YEAR)} years"


def percent(share: float) -> str:
    """A share of a whole."""
    return f"{share:.1%}" if share >= 0.0995 else f"{share:.2%}" if share >= 5e-5 else "<0.01%"


def _scaled(value: float, units: Sequence[tuple[str, float]]) -> str:
    if value <= 0:
        return "0"
    unit, factor = max((u for u in units if u[1] <= max(value, 1)), key=lambda u: u[1])
    found = value / factor
    return f"{found:,.0f}{unit}" if found >= 100 else f"{found:.3g}{unit}"
