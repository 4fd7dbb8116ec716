"""How a simulation deals a data set out to its peers: alike (IID), or with skewed labels (Dirichlet)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from p2pnode.data.schema import Dataset, Examples
from protocols.errors import LocalError

Rows = npt.NDArray[np.int64]


def split_iid(rows: int, peers: int, *, seed: int, minimum: int = 1) -> list[Rows]:
    """Deals `rows` indices out at random, the same number (give or take one) to each of `peers`.

    Raises:
        LocalError: there are fewer than `minimum` rows for each peer.
    """
    _check(rows, peers, minimum)
    return np.array_split(np.random.default_rng(seed).permutation(rows), peers)


def split_dirichlet(labels: npt.NDArray[Any], peers: int, *, alpha: float, seed: int, minimum: int = 1) -> list[Rows]:
    """Deals each label's rows out in shares drawn from Dirichlet(alpha); small alpha means few labels a peer.

    Peers left with under `minimum` rows get some from whoever then has most. Source: Hsu, Qi, Brown, "Measuring the
    Effects of Non-Identical Data Distribution for Federated Visual Classification", 2019.

    Raises:
        LocalError: alpha is not above zero, or there are fewer than `minimum` rows for each peer.
    """
    _check(len(labels), peers, minimum)
    if not alpha > 0:
        raise LocalError(f"the Dirichlet split needs alpha above 0, not {alpha}")
    rng = np.random.default_rng(seed)
    shares: list[list[int]] = [[] for _ in range(peers)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.cumsum(rng.dirichlet(np.full(peers, alpha)))[:-1]
        for share, part in zip(shares, np.split(rows, (cuts * len(rows)).astype(np.int64)), strict=True):
            share.extend(part.tolist())
    _level_up(shares, minimum)
    return [np.array(share, dtype=np.int64) for share in shares]


def hold_out(examples: Examples, *, fraction: float, seed: int = 0) -> Dataset:
    """Keeps a random `fraction` of the rows for judging the model; the rest is for training."""
    order = np.random.default_rng(seed).permutation(len(examples))
    kept = round(fraction * len(examples))
    return Dataset(train=examples.take(order[kept:]), held_out=examples.take(order[:kept]))


def _check(rows: int, peers: int, minimum: int) -> None:
    if peers < 1 or minimum < 1:
        raise LocalError(f"a split needs at least 1 peer and 1 row a peer, not {peers} and {minimum}")
    if rows < peers * minimum:
        raise LocalError(f"{rows} rows cannot give {peers} peers at least {minimum} each; take fewer peers")


def _level_up(shares: list[list[int]], minimum: int) -> None:
    for share in shares:
        while len(share) < minimum:
            share.append(max(shares, key=len).pop())
