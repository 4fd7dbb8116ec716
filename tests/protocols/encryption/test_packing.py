from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.encryption.packing import SHARE_BYTES, pack_bits, pack_share, unpack_bits, unpack_share
from protocols.errors import LocalError, MalformedError


@given(st.integers(1, 64), st.data())
def test_packing_is_the_big_endian_bit_string(bits: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=40))
    packed = pack_bits(np.array(values, dtype=np.uint64), bits)
    text = "".join(f"{value:0{bits}b}" for value in values)
    text += "0" * (-len(text) % 8)
    assert packed == bytes(int(text[start : start + 8], 2) for start in range(0, len(text), 8))
    assert unpack_bits(packed, bits, len(values)).tolist() == values


def test_a_ciphertext_row_and_a_share_have_their_sizes() -> None:
    assert len(pack_bits(np.zeros(8192, dtype=np.uint64), 46)) == 47_104
    assert len(pack_share(np.zeros(4096, dtype=np.uint32))) == SHARE_BYTES == 8_704


def test_lengths_and_padding_are_strict() -> None:
    packed = pack_bits(np.array([1, 2, 3], dtype=np.uint64), 3)
    for wrong in (packed + b"\0", packed[:-1], b""):
        with pytest.raises(MalformedError, match="take 2 bytes"):
            unpack_bits(wrong, 3, 3)
    with pytest.raises(MalformedError, match="padding"):
        unpack_bits(packed[:-1] + bytes([packed[-1] | 1]), 3, 3)


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LocalError, match="8 into 3 bits"):
        pack_bits(np.array([8], dtype=np.uint64), 3)


def test_share_values_stay_in_the_field() -> None:
    share = np.full(4096, 65_536, dtype=np.uint32)
    assert (unpack_share(pack_share(share)) == share).all()
    share[7] = 65_537
    with pytest.raises(MalformedError, match="below 65537"):
        pack_share(share)
    with pytest.raises(MalformedError, match="below 65537"):
        unpack_share(pack_bits(share, 17))
