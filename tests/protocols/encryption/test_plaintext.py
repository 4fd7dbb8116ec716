from __future__ import annotations

import numpy as np
import pytest

from protocols.encryption.layout import uniform
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.ring import PRIMES
from protocols.encryption.scheme import PublicContext
from protocols.errors import LocalError, RemoteError
from protocols.types import Secret

PLAIN = PlaintextScheme()
CONTEXT = PublicContext(bytes(32), 0, 0)
SEED = Secret(bytes(32))


def test_sums_are_exact_and_need_no_shares() -> None:
    updates = np.random.default_rng(7).integers(-(2**15), 2**15, (16, 20_000))
    total = PLAIN.add([PLAIN.encrypt(lanes, SEED, CONTEXT) for lanes in updates])
    opened = PLAIN.open(total, CONTEXT, {}, 5, 16, uniform(20_000))
    assert (opened.lanes == updates.sum(axis=0)).all()
    assert opened.wrong == ()
    assert PLAIN.deal(SEED, 5, 7) == []


def test_what_is_no_message_is_refused() -> None:
    residues = np.stack([np.random.default_rng(6).integers(0, q, (1, 4096), dtype=np.uint64) for q in PRIMES], axis=1)
    with pytest.raises(RemoteError, match="not a message"):
        PLAIN.open(residues, CONTEXT, {}, 5, 2, uniform(100))
    with pytest.raises(LocalError, match="shape"):
        PLAIN.open(residues, CONTEXT, {}, 5, 2, uniform(20_000))
