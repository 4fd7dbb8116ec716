from __future__ import annotations

import hashlib

import pytest

from protocols import merkle
from protocols.errors import MalformedError
from protocols.hashing import tagged
from protocols.types import Digest
from protocols.updates.pieces import PIECE_BYTES, PieceTable, blob_digest, piece_hash, table_of

BIG = b"".join(number.to_bytes(4, "big") for number in range(PIECE_BYTES)) + b"the rest"


def sha256(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).digest())


@pytest.mark.parametrize("size", [1, 1000, PIECE_BYTES])
def test_a_blob_of_one_piece_is_named_by_its_hash(size: int) -> None:
    assert blob_digest(BIG[:size]) == sha256(BIG[:size])
    assert table_of(BIG[:size]) == PieceTable(size, (sha256(BIG[:size]),))


def test_a_bigger_one_by_its_size_and_the_root_over_its_pieces() -> None:
    table = table_of(BIG)
    pieces = [BIG[start : start + PIECE_BYTES] for start in range(0, len(BIG), PIECE_BYTES)]
    assert len(pieces) == 5
    assert table.hashes == tuple(map(sha256, pieces)) == tuple(map(piece_hash, pieces))
    assert [table.length(index) for index in range(5)] == [PIECE_BYTES] * 4 + [8]
    assert blob_digest(BIG) == table.digest == tagged("pieces", len(BIG), merkle.root(table.hashes))


def test_a_table_is_checked_against_the_digest_alone() -> None:
    table, digest = table_of(BIG), blob_digest(BIG)
    table.check(digest, len(BIG))
    swapped = PieceTable(table.size, (*table.hashes[1::-1], *table.hashes[2:]))
    wrong = [
        (swapped, digest, len(BIG)),
        (PieceTable(table.size - 1, table.hashes), digest, len(BIG)),
        (PieceTable(table.size, table.hashes[:-1]), digest, len(BIG)),
        (PieceTable(table.size, ()), digest, len(BIG)),
        (PieceTable(0, ()), digest, len(BIG)),
        (table, blob_digest(BIG[:-1]), len(BIG)),
        (table, digest, len(BIG) - 1),
    ]
    for each in wrong:
        with pytest.raises(MalformedError):
            each[0].check(*each[1:])
