from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import MalformedError
from protocols.types import Digest, Secret
from protocols.wire.codec import U8, U64, Size, decode, encode


@dataclass(frozen=True)
class Inner:
    digest: Digest
    data: Annotated[bytes, Size(0, 40)]


@dataclass(frozen=True)
class Outer:
    small: U8
    large: U64
    name: Annotated[str, Size(1, 8)]
    flag: bool
    inner: Inner
    many: Annotated[tuple[Inner, ...], Size(0, 4)]
    maybe: U64 | None


inners = st.builds(Inner, st.binary(min_size=32, max_size=32).map(Digest), st.binary(max_size=40))
outers = st.builds(
    Outer,
    small=st.integers(0, 2**8 - 1),
    large=st.integers(0, 2**64 - 1),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda text: len(text.encode()) <= 8),
    flag=st.booleans(),
    inner=inners,
    many=st.lists(inners, max_size=4).map(tuple),
    maybe=st.none() | st.integers(0, 2**64 - 1),
)
INNER = [bytes(32), b"x"]
PLAIN = [1, 2, "name", True, INNER, [INNER], None]


@given(outers)
def test_what_is_encoded_comes_back(value: Outer) -> None:
    assert decode(encode(value), Outer, 4096) == value


@given(outers, st.data())
def test_changed_bytes_are_refused_or_are_another_value_in_its_one_encoding(value: Outer, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(encoded)) | st.just(len(encoded)))
    assert_refused_or_canonical(bytes(encoded[:cut]))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    assert_refused_or_canonical(data)


def assert_refused_or_canonical(data: bytes) -> None:
    try:
        value = decode(data, Outer, 4096)
    except MalformedError:
        return
    assert encode(value) == data


def test_the_example_is_accepted_so_that_the_next_test_means_something() -> None:
    assert decode(msgpack.packb(PLAIN), Outer, 4096).inner == Inner(Digest(bytes(32)), b"x")


@pytest.mark.parametrize(
    ("position", "value", "complaint"),
    [
        (0, 256, "Outer.small: 256 is outside 0 to 255"),
        (0, -1, "Outer.small: -1"),
        (0, True, "Outer.small: bool instead of int"),
        (0, 1.0, "Outer.small: float instead of int"),
        (1, None, "Outer.large: NoneType"),
        (2, "", "Outer.name: length 0"),
        (2, "ümlaute!", "Outer.name: length 9"),
        (2, b"name", "Outer.name: bytes instead of str"),
        (3, 1, "Outer.flag: int instead of bool"),
        (4, [bytes(31), b"x"], "Outer.inner.digest: length 31"),
        (4, [bytes(32), bytes(41)], "Outer.inner.data: length 41"),
        (4, [bytes(32)], "Outer.inner: needs an array of 2 fields"),
        (4, [bytes(32), b"x", 0], "Outer.inner: needs an array of 2 fields"),
        (4, None, "Outer.inner: needs an array of 2 fields"),
        (5, [INNER] * 5, "Outer.many: length 5"),
        (5, [INNER, [bytes(32), 7]], r"Outer.many\[1\].data: int instead of bytes"),
        (5, None, "Outer.many: NoneType instead of an array"),
        (6, 2**63 * -1, "Outer.maybe: -9223372036854775808"),
        (6, "7", "Outer.maybe: str instead of int"),
    ],
)
def test_a_wrong_field_is_named(position: int, value: object, complaint: str) -> None:
    plain = [*PLAIN[:position], value, *PLAIN[position + 1 :]]
    with pytest.raises(MalformedError, match=complaint):
        decode(msgpack.packb(plain), Outer, 4096)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not msgpack"),
        (b"\xc1", "not msgpack"),
        (b"\x91" * 3000, "not msgpack"),
        (b"\xdd\xff\xff\xff\xff", "not msgpack"),
        (b"\xa2\xff\xff", "not msgpack"),
        (msgpack.packb({1: 2}), "not msgpack"),
        (msgpack.packb(msgpack.ExtType(5, b"abc")), "not msgpack"),
        (msgpack.packb(msgpack.Timestamp(1)), "not msgpack"),
        (msgpack.packb(PLAIN) + b"\x00", "not msgpack"),
        (msgpack.packb(PLAIN).replace(b"\xa4name", b"\xd9\x04name"), "not in canonical encoding"),
        (msgpack.packb(PLAIN).replace(b"\x01\x02", b"\xcc\x01\x02", 1), "not in canonical encoding"),
        (bytes(4097), "4097 bytes, at most 4096"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        decode(data, Outer, 4096)


@pytest.mark.parametrize("value", [Secret(bytes(32)), [1], {1: 2}, 1.5, (Secret(b""),)])
def test_only_messages_are_encoded_and_never_a_secret(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be encoded"):
        encode(value)
