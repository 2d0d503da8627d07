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
