"""Kubernetes resource quantities ("500m", "1Gi", "2e3")."""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkKMGTPE]i?))?\Z", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(text: str | int | float) -> Fraction:
    """The exact value of a quantity. Raises ValueError."""
    match = _QUANTITY.match(str(text))
    if match is None:
        raise ValueError(f"invalid quantity {text!r}")
    number, exponent, suffix = Fraction(match[1]), match[2], match[3]
    if exponent:
        return number * _power(int(exponent[1:]))
    if not suffix:
        return number
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    if suffix in _DECIMAL:
        return number * _power(_DECIMAL[suffix])
    raise ValueError(f"invalid quantity {text!r}")


def _power(exponent: int) -> Fraction:
    return Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)
