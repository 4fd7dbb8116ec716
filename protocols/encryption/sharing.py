"""Shamir's secret sharing of a whole key, coefficient by coefficient, over F_65537 (A. Shamir, CACM 22(11), 1979).

Member i of 1..n holds the value at x = i of `degree` polynomials of degree t - 1 whose values at 0 are the secret.
Products of matrices run in float64: entries are below 2^16 + 1 and rows at most 16 long, so every sum is exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.ring import DEGREE
from protocols.encryption.scheme import Share
from protocols.errors import LocalError, MalformedError
from protocols.params import COMMITTEE_MAX

Values = npt.NDArray[np.int64]

FIELD: Final = 65537
"""Holds the sums of 16 keys with their signs, and more points than members."""


def deal(secret: Values, coefficients: Values, members: int) -> list[Share]:
    """The shares uint32[width] of members 1..members; for a key the width is the ring's degree.

    Args:
        secret: int64[width], small signed integers.
        coefficients: int64[threshold - 1, width], uniform below 65537.
        members: at least the threshold, at most 16.

    Raises:
        LocalError: fewer members than the threshold, or too many.
    """
    threshold = len(coefficients) + 1
    if not threshold <= members <= COMMITTEE_MAX:
        raise LocalError(f"cannot share among {members} members with threshold {threshold}, at most {COMMITTEE_MAX}")
    powers = np.array([[pow(x, k, FIELD) for k in range(threshold)] for x in range(1, members + 1)])
    return list(_product(powers, np.vstack([secret % FIELD, coefficients])).astype(np.uint32))


def add_shares(shares: Sequence[Share]) -> Share:
    """A member's summed share: its share of the sum of the secrets.

    Raises:
        LocalError: no shares.
        MalformedError: a share is not uint32[degree] below 65537.
    """
    if not shares:
        raise LocalError("there are no shares to add")
    for share in shares:
        check_share(share)
    total = np.stack(shares).sum(axis=0, dtype=np.uint64)
    return np.asarray(total % np.uint64(FIELD), dtype=np.uint32)


def check_share(share: Share) -> None:
    """Raises MalformedError unless the share is uint32[degree] with all values below 65537."""
    if share.dtype != np.uint32 or share.shape != (DEGREE,) or share.max() >= FIELD:
        raise MalformedError(f"a share is {DEGREE} uint32 values below {FIELD}")


def candidates(shares: Mapping[int, Share], threshold: int, bound: int) -> Iterator[tuple[Values, tuple[int, ...]]]:
    """Secrets that explain the shares, each with the members whose shares do not fit: fewest misfits first.

    Up to len(shares) - threshold misfits are tried: at most 6,885 sets, for 11 of 16. Coefficients that refuted one set
    are tried first on the next, so that most sets cost microseconds. Where no more than `threshold` shares are kept,
    every secret fits; then only those with magnitudes up to `bound` are given, and they must prove themselves further.

    Yields:
        (secret int64[degree] centred around 0, members that misfit); no polynomial twice.
    """
    members = sorted(shares)
    matrix = np.stack([shares[member] for member in members]).astype(np.int64)
    telling: list[int] = []
    explained: list[frozenset[int]] = []
    for count in range(len(members) - threshold + 1):
        for misfits in itertools.combinations(range(len(members)), count):
            if any(known.issubset(misfits) for known in explained):
                continue  # the same polynomial again
            kept = [row for row in range(len(members)) if row not in misfits]
            weights = _lagrange([members[row] for row in kept], threshold)
            if telling and _explain(weights, matrix[np.ix_(kept, telling)], bound)[1].any():
                continue
            secret, refuting = _explain(weights, matrix[kept], bound)
            if refuting.any():
                telling.append(int(refuting.argmax()))
                continue
            explained.append(frozenset(misfits))
            yield secret, tuple(members[row] for row in misfits)


def _explain(weights: Values, values: Values, bound: int) -> tuple[Values, npt.NDArray[np.bool_]]:
    """The secret from the first t rows of values[kept, columns], and the columns that refute it."""
    threshold = weights.shape[1]
    predicted = _product(weights, values[:threshold])
    secret = np.where(predicted[0] > FIELD // 2, predicted[0] - FIELD, predicted[0])
    if len(values) == threshold:
        return secret, np.abs(secret) > bound
    return secret, (predicted[1:] != values[threshold:]).any(axis=0)


@cache
def weights_from_first(threshold: int, point: int) -> Values:
    """Weights int64[t] that take a polynomial's values at 1..t to that at another point (or one of them)."""
    weights: Values = _lagrange((*range(1, threshold + 1), point), threshold)[1]
    return weights


def _lagrange(points: Sequence[int], threshold: int) -> Values:
    """Weights int64[1 + len(points) - t, t] that take values at the first t points to those at 0 and at the others."""
    known, asked = points[:threshold], (0, *points[threshold:])
    scales = [pow(math.prod(x - y for y in known if y != x), -1, FIELD) for x in known]
    return np.array(
        [
            [
                math.prod(z - y for y in known if y != x) % FIELD * scale % FIELD
                for x, scale in zip(known, scales, strict=True)
            ]
            for z in asked
        ]
    )


def _product(a: Values, b: Values) -> Values:
    """The matrix product modulo 65537 of entries 0..65536."""
    exact: Values = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64) % FIELD
    return exact
