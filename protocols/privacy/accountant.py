"""Epsilon of so many rounds of the Gaussian mechanism; everybody must compute the same number, to the last digit.

Renyi differential privacy: a round costs a / (2 z^2) of order a at noise multiplier z, and rounds add up (Mironov,
Renyi differential privacy, CSF 2017, proposition 7 and corollary 3). Into (epsilon, delta) by Canonne, Kamath and
Steinke (The discrete Gaussian for differential privacy, NeurIPS 2020, proposition 12), at the best of fixed orders:
those of Google's dp-accounting, whose numbers these are. Decimal arithmetic rounds correctly, logarithms included, on
every machine; floats do not.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal, localcontext
from functools import lru_cache
from typing import Final

ORDERS: Final = (
    *(Decimal(10 + tenth) / 10 for tenth in range(1, 100)),
    *(Decimal(order) for order in (*range(11, 64), 128, 256, 512, 1024)),
)
EPSILON_MICRO_MAX: Final = 2**64 - 1
_PRECISION: Final = 50


@lru_cache(maxsize=4096)
def epsilon_micro(noise_multiplier: float, delta: float, rounds: int) -> int:
    """Epsilon in millionths, rounded up; 0 before the first round.

    Args:
        noise_multiplier: z above 0, the noise's standard deviation in units of what one row can change.
        delta: in (0, 1).
        rounds: in which the row took part.
    """
    with localcontext(Context(prec=_PRECISION)):
        cost = Decimal(rounds) / (2 * Decimal(noise_multiplier) ** 2)
        best = min(order * cost + fixed for order, fixed in zip(ORDERS, _fixed(delta), strict=True))
        micro = (max(best, Decimal(0)) * 1_000_000).to_integral_value(ROUND_CEILING)
    return min(int(micro), EPSILON_MICRO_MAX) if rounds else 0


@lru_cache(maxsize=64)
def _fixed(delta: float) -> tuple[Decimal, ...]:
    """What the conversion adds at each order."""
    with localcontext(Context(prec=_PRECISION)):
        tail = Decimal(delta).ln()
        return tuple((1 - 1 / order).ln() - (tail + order.ln()) / (order - 1) for order in ORDERS)


def rounds_within(noise_multiplier: float, delta: float, budget_micro: int, most: int) -> int:
    """How many rounds, up to `most`, cost at most a budget; by bisection, since epsilon grows with rounds."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if epsilon_micro(noise_multiplier, delta, middle) <= budget_micro else (low, middle - 1)
        )
    return low
