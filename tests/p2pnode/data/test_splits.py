from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.data.schema import Examples
from p2pnode.data.splits import hold_out, split_dirichlet, split_iid
from protocols.errors import LocalError

LABELS = np.repeat(np.arange(10), 60)


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 2**32))
def test_an_iid_split_deals_every_row_once_and_evenly(rows, peers, seed):
    if rows < peers:
        with pytest.raises(LocalError, match="take fewer peers"):
            split_iid(rows, peers, seed=seed)
        return
    parts = split_iid(rows, peers, seed=seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.floats(0.01, 100), st.integers(1, 30), st.integers(0, 2**32))
def test_a_dirichlet_split_deals_every_row_once_and_enough_to_each(alpha, peers, seed):
    parts = split_dirichlet(LABELS, peers, alpha=alpha, seed=seed, minimum=10)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(LABELS)))
    assert min(map(len, parts)) >= 10


def test_small_alpha_means_few_labels_a_peer():
    def largest_label_share(alpha: float) -> float:
        parts = split_dirichlet(LABELS, 10, alpha=alpha, seed=1, minimum=5)
        return float(np.mean([np.bincount(LABELS[part]).max() / len(part) for part in parts]))

    assert largest_label_share(0.1) > 0.5 > 0.2 > largest_label_share(100.0)


def test_a_seed_repeats():
    one, other = (split_dirichlet(LABELS, 5, alpha=0.5, seed=3) for _ in range(2))
    assert [part.tolist() for part in one] == [part.tolist() for part in other]
    assert [part.tolist() for part in split_iid(9, 2, seed=1)] != [part.tolist() for part in split_iid(9, 2, seed=2)]


def test_senseless_splits_are_refused():
    with pytest.raises(LocalError, match="600 rows cannot give 7 peers at least 100"):
        split_dirichlet(LABELS, 7, alpha=1.0, seed=0, minimum=100)
    with pytest.raises(LocalError, match="alpha above 0"):
        split_dirichlet(LABELS, 7, alpha=0.0, seed=0)
    with pytest.raises(LocalError, match="at least 1 peer"):
        split_iid(10, 0, seed=0)


def test_held_out_rows_are_not_trained_on():
    rows = Examples(np.arange(50.0)[:, None], np.arange(50))
    data = hold_out(rows, fraction=0.2)
    assert (len(data.train), len(data.held_out)) == (40, 10)
    assert sorted([*data.train.y.tolist(), *data.held_out.y.tolist()]) == list(range(50))
