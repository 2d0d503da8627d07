"""Numbers as people read them."""

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def probability(p: float) -> str:
    """A probability with about three digits.

    >>> probability(0.25), probability(0.00001234)
    ('0.250', '1.2·10⁻⁵')
    """
    if p >= 0.001:
        return f"{p:.4f}" if p < 0.1 or p >= 0.9995 else f"{p:.3f}"
    return from_log(math.log(p)) if p > 0 else "0"


def from_log(nats: float) -> str:
    """exp(nats) in decimal notation, however small.

    >>> from_log(-200.0), from_log(0.0)
    ('1.4·10⁻⁸⁷', '1')
    """
    if not math.isfinite(nats):
        return "0" if nats < 0 else "–"
    if nats > math.log(0.001):
        return f"{math.exp(nats):.4g}"
    exponent = math.floor(nats / math.log(10))
    digits = round(math.exp(nats - exponent * math.log(10)), 1)
    if digits >= 10:
        digits, exponent = digits / 10, exponent + 1
    return f"{digits:.1f}·10{str(exponent).translate(_RAISED)}"


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign.

    >>> signed(-1234.5)
    '−1,234.50'
    """
    return f"{value:,.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def large(value: float) -> str:
    """A perplexity: fewer decimals the larger it is.

    >>> large(7.125), large(123456.7), large(float("inf"))
    ('7.12', '123,457', '∞')
    """
    if math.isnan(value):
        return "–"
    if value == math.inf:
        return "∞"
    if value >= 1e9:
        exponent = math.floor(math.log10(value))
        return f"{value / 10.0**exponent:.1f}·10{str(exponent).translate(_RAISED)}"
    return f"{value:,.{2 if value < 100 else 1 if value < 1000 else 0}f}"


def memory(n_bytes: float) -> str:
    """Bytes as people say them.

    >>> memory(95_000), memory(950_000), memory(21_400_000), memory(3.2e9)
    ('95 kB', '950 kB', '21 MB', '3.2 GB')
    """
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    if n_bytes >= 1e6:
        return f"{n_bytes / 1e6:.{0 if n_bytes >= 1e7 else 1}f} MB"
    return f"{n_bytes / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(41.2), duration(150), duration(7300)
    ('41 s', '2.5 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def gigabytes(size: float) -> str:
    """
    >>> gigabytes(2.69e8), gigabytes(0), gigabytes(7e10)
    ('0.27 GB', '0 GB', '70 GB')
    """
    return f"{size / 1e9:.2g} GB"
