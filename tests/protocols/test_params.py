from __future__ import annotations

import dataclasses

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, MalformedError
from protocols.params import MAX_ENCODED_BYTES, Params, decode_params


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scheme": "rot13"}, "scheme must be one of"),
        ({"k_min": 1}, "k_min 1 must be at least 2"),
        ({"dropouts": -1}, "dropouts -1"),
        ({"k_min": 12, "dropouts": 5}, "a cell has at most 16"),
        ({"committee": 17, "threshold": 12}, "committee 17 must be 1 to 16"),
        ({"committee": 0, "threshold": 0}, "committee 0"),
        ({"threshold": 8}, "threshold 8 exceeds the committee of 7"),
        ({"threshold": 3}, "lets a minority certify"),
        ({"rounds_per_epoch": 0}, "at least 1"),
        ({"anchor_every": 0}, "at least 1"),
        ({"anchor_every": 4, "rounds_per_epoch": 6}, "half an epoch of 6 rounds without a checkpoint"),
        ({"grace_s": 0}, "deadlines"),
        ({"submit_s": -5}, "deadlines"),
        ({"final_height": -1}, "must not be negative"),
    ],
)
def test_unsafe_parameters_are_refused_with_the_reason(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        Params().with_(**changes)


def test_the_epoch_of_a_height_and_the_smallest_cell() -> None:
    params = Params(rounds_per_epoch=5, k_min=3, dropouts=2)
    assert [params.epoch(height) for height in (0, 4, 5, 14)] == [0, 0, 1, 2]
    assert params.cell_min == 5


@pytest.mark.parametrize(("n", "t", "liars"), [(7, 5, 2), (7, 6, 4), (16, 11, 5), (16, 13, 9), (4, 3, 1)])
def test_liars_are_stood_as_long_as_their_two_halves_stay_below_the_threshold(n: int, t: int, liars: int) -> None:
    assert Params(committee=n, threshold=t).liars == liars
    assert liars + (n - liars) // 2 < t <= liars + 1 + -(-(n - liars - 1) // 2)


def test_a_cells_quorum() -> None:
    params = Params(k_min=5, dropouts=3)
    assert [params.quorum(members) for members in (5, 8, 9, 15)] == [5, 5, 6, 12]


def test_every_field_counts_for_the_digest() -> None:
    numbers = {field.name: field.default + 1 for field in dataclasses.fields(Params) if isinstance(field.default, int)}
    changes = {**numbers, "preset": "mine", "scheme": "plaintext", "k_min": 4}
    changed = {Params().with_(**{name: value}).digest for name, value in changes.items()}
    assert len({Params().digest, *changed}) == 1 + len(dataclasses.fields(Params))


def test_encoding_comes_back() -> None:
    params = Params(k_min=3, dropouts=0, final_height=10)
    assert decode_params(params.encode()) == params


@given(st.binary(max_size=80))
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_params(data)


@given(st.integers(0, 100), st.integers(0, 255))
def test_changed_bytes_are_refused_or_canonical(position: int, value: int) -> None:
    data = bytearray(Params().encode())
    data[position % len(data)] = value
    try:
        params = decode_params(bytes(data))
    except MalformedError:
        return
    assert params.encode() == data


@pytest.mark.parametrize(
    "data",
    [
        msgpack.packb([1]),
        msgpack.packb({"k_min": 5}),
        Params().encode() + b"\x00",
        Params().encode() + bytes(MAX_ENCODED_BYTES),
        Params().encode().replace(b"\x05\x03", b"\x01\x03", 1),
        Params().encode().replace(b"\x05\x03", b"\xcc\x05\x03", 1),
        Params().encode().replace(b"\x05\x03", b"\xc3\x03", 1),
    ],
)
def test_what_are_no_canonical_valid_parameters_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="parameters"):
        decode_params(data)


def test_every_a_th_checkpoint_and_the_last_are_anchored() -> None:
    params = Params(anchor_every=3, rounds_per_epoch=6, final_height=8)
    assert [height for height in range(8) if params.anchored(height)] == [2, 5, 7]
    assert all(Params().anchored(height) for height in range(5))
