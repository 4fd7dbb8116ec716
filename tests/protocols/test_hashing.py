from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from protocols.hashing import tagged

parts = st.lists(st.binary(max_size=12) | st.integers(0, 2**64 - 1), max_size=4)


def test_the_bytes_are_what_the_protocol_says() -> None:
    expected = hashlib.sha256(b"2pm/cell/1\0" + b"\0\0\0\3abc" + b"\0\0\0\x08" + (7).to_bytes(8, "big"))
    assert tagged("cell", b"abc", 7) == expected.digest()


@given(parts, parts)
def test_different_parts_never_meet(one: list[bytes | int], other: list[bytes | int]) -> None:
    """An integer is its eight bytes; apart from that every list has a digest of its own."""

    def plain(values: list[bytes | int]) -> list[bytes]:
        return [value if isinstance(value, bytes) else value.to_bytes(8, "big") for value in values]

    assert (tagged("x", *one) == tagged("x", *other)) == (plain(one) == plain(other))
    assert tagged("x", *one) != tagged("y", *one)


def test_parts_do_not_run_into_one_another() -> None:
    assert tagged("x", b"ab", b"c") != tagged("x", b"a", b"bc") != tagged("x", b"abc")
