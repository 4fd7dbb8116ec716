"""How hard it is to read one update out of an opened sum, in bits: RLWE once the sum of the keys is known.

What is opened beside a sum is the sum of its contributors' keys, and so of their errors. Let h contributors be honest
and alike: given their sum, one key and its errors are distributed around the known mean with (1 - 1/h) of their
variance. For discrete Gaussians this is hint-RLWE (Kim, Lee, Seo, Song, CRYPTO 2023, eprint 2023/623, theorem 1). For
centred binomials it is elementary: k is 42 coins, so k given k + k' is hypergeometric, on average of half the variance.
What is left is RLWE with the same ring and modulus and the smaller deviation; its secret is distributed as its errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import e, inf, log, log2, pi, sqrt
from typing import Final

STANDARD_SIGMA: Final = 8 / sqrt(2 * pi)
"""The errors' standard deviation in the HomomorphicEncryption.org standard (Albrecht et al., 2018), table 1."""

Limits = Mapping[int, Mapping[int, int]]
"""Ring degree -> level in bits -> the largest log2 q that reaches it."""

CLASSICAL: Final[Limits] = {
    1024: {128: 29, 192: 21, 256: 16},
    2048: {128: 56, 192: 39, 256: 31},
    4096: {128: 111, 192: 77, 256: 60},
    8192: {128: 220, 192: 154, 256: 120},
}
"""Table 1 of the standard, classical attacks, secrets distributed as the errors (rows "error")."""

QUANTUM: Final[Limits] = {
    1024: {128: 27, 192: 19, 256: 15},
    2048: {128: 53, 192: 37, 256: 29},
    4096: {128: 103, 192: 72, 256: 56},
    8192: {128: 206, 192: 143, 256: 111},
}
"""Table 2 of the standard, quantum attacks, secrets distributed as the errors."""

TERNARY_4096: Final = 109
"""The limit of table 1 for ternary secrets, degree 4096, 128 bits: what SEAL itself enforces. Ours are wider."""

_BLOCKS: Final = range(60, 4000)


def hint_sigma(sigma: float, honest: int) -> float:
    """Deviation that an honest contributor's key and errors keep once the sum of `honest` such keys is known."""
    return sigma * sqrt(1 - 1 / honest)


def standard_log2_q(log2_q: float, sigma: float) -> float:
    """log2 of the modulus that is as hard under the standard's sigma as q is under this one; infinite for sigma 0.

    The table's rows hold for its own sigma, so this is the one extrapolation that we make from them. Where secret and
    error have one deviation, the attacked lattice has volume q^m and dimension d = n + m, and its shortest vector grows
    with sigma: sigma / c is worth what q c^(d / m) is, and the best attack takes m close to n (`primal_attack`).
    """
    return log2_q + 2 * log2(STANDARD_SIGMA / sigma) if sigma > 0 else inf


def table_bits(limits: Limits, degree: int, log2_q: float, sigma: float) -> int:
    """The highest level of the standard's table that the parameters reach; 0 for none."""
    size = standard_log2_q(log2_q, sigma)
    return max((level for level, limit in limits.get(degree, {}).items() if size <= limit), default=0)


def primal_attack(degree: int, log2_q: float, sigma: float) -> tuple[int, int]:
    """The smallest BKZ block size that finds the secret, and the lattice dimension it takes; zeros for sigma 0.

    Primal uSVP attack with the success condition of Alkim et al. (New Hope, eprint 2015/1092, section 6.3), the
    geometric series assumption, and the root Hermite factor of Chen (2013). Any number of samples.
    """
    if sigma <= 0:
        return 0, 0
    size = log2_q * log(2)
    for block in _BLOCKS:
        root = log((pi * block) ** (1 / block) * block / (2 * pi * e)) / (2 * (block - 1))
        dimension = max(degree + 1, int(sqrt(degree * size / root)))
        shortest = (2 * block - dimension - 1) * root + (dimension - degree - 1) * size / dimension
        if log(sqrt(block) * sigma) <= shortest:
            return block, dimension
    return _BLOCKS.stop, 0


def primal_bits(degree: int, log2_q: float, sigma: float) -> float:
    """log2 of the primal attack's cost as the standard's table counts it: 8 d 2^(0.292 b + 16.4) for block size b.

    (Albrecht, Player, Scott, eprint 2015/046; Becker, Ducas, Gama, Laarhoven, SODA 2016.) With the
    table's sigma it gives every one of its rows, so it says what lies between them.
    """
    block, dimension = primal_attack(degree, log2_q, sigma)
    return 0.292 * block + 16.4 + log2(8 * dimension) if block else 0.0


def core_svp_bits(degree: int, log2_q: float, sigma: float) -> float:
    """The primal attack's cost if one call of the sieve were all of it and cost 2^(0.292 b): a floor."""
    return 0.292 * primal_attack(degree, log2_q, sigma)[0]
