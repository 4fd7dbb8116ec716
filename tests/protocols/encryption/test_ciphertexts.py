from __future__ import annotations

import numpy as np
import pytest

from protocols.encryption.packing import pack_bits
from protocols.encryption.ring import PRIMES
from protocols.encryption.scheme import PublicContext, Residues
from protocols.encryption.schemes import scheme
from protocols.errors import MalformedError
from protocols.params import SCHEMES

CONTEXT = PublicContext(bytes(32), 0, 0)


def residues(count: int) -> Residues:
    rng = np.random.default_rng(6)
    return np.stack([rng.integers(0, prime, (count, 4096), dtype=np.uint64) for prime in PRIMES], axis=1)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_wire_form_is_exact_and_compact(name: str) -> None:
    some = residues(3)
    some[0, :, 0] = [prime - 1 for prime in PRIMES]
    packed = scheme(name).pack(some)
    assert [len(one) for one in packed] == [47_104] * 3
    assert packed[1] == pack_bits(some[1].ravel(), 46)
    assert (scheme(name).unpack(packed) == some).all()
    assert scheme(name).unpack([]).shape == (0, 2, 4096)


@pytest.mark.parametrize("name", SCHEMES)
def test_bytes_that_are_no_ciphertext_are_refused(name: str) -> None:
    (packed,) = scheme(name).pack(residues(1))
    for wrong in (b"", packed[:-1], packed + b"\0"):
        with pytest.raises(MalformedError, match="47104 bytes"):
            scheme(name).unpack([packed, wrong])
    for row, prime in enumerate(PRIMES):
        beyond = residues(1)
        beyond[0, row, 99] = prime
        with pytest.raises(MalformedError, match=f"below its prime {prime}"):
            scheme(name).unpack(scheme(name).pack(beyond))
