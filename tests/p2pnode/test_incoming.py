from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from p2pnode.blobs import PARTIAL_MAX, BlobStore
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.updates.pieces import blob_digest, piece_hash, table_of

BLOB = bytes(range(256)) * 3000
NAME = blob_digest(BLOB)
STEP_BYTES = 1 << 18
HEAD = 9 + 72 + 32


def test_pieces_in_any_order_make_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 2 << 20)
    incoming = store.incoming(NAME, len(BLOB))
    assert not incoming.resumed
    incoming.write(STEP_BYTES, BLOB[STEP_BYTES:])
    incoming.write(0, BLOB[:STEP_BYTES])
    assert store.get(NAME) is None
    assert incoming.read(STEP_BYTES - 3, 6) == BLOB[STEP_BYTES - 3 : STEP_BYTES + 3]
    incoming.finish(table_of(BLOB))
    for each in (store, BlobStore(tmp_path, 2 << 20)):
        assert each.get(NAME) == BLOB
        assert each.size(NAME) == len(BLOB)
        assert each.read(NAME, len(BLOB) - 5, 100) == BLOB[-5:]
        assert each.used_bytes == HEAD + len(BLOB)


def test_what_came_before_a_crash_is_there_after_it(tmp_path: Path) -> None:
    BlobStore(tmp_path, 2 << 20).incoming(NAME, len(BLOB)).write(0, BLOB[:1000])
    again = BlobStore(tmp_path, 2 << 20)
    assert again.digests() == ()
    assert again.used_bytes == HEAD + len(BLOB)
    incoming = again.incoming(NAME, len(BLOB))
    assert incoming.resumed
    assert incoming.read(0, 1000) == BLOB[:1000]
    incoming.write(1000, BLOB[1000:])
    incoming.finish(table_of(BLOB))
    assert hashlib.sha256(again.get(NAME) or b"").digest() == hashlib.sha256(BLOB).digest()


def test_a_piece_is_kept_only_if_it_is_the_expected_one(tmp_path: Path) -> None:
    incoming = BlobStore(tmp_path, 2 << 20).incoming(NAME, len(BLOB))
    assert not incoming.accept(0, b"other bytes", piece_hash(BLOB[:1000]))
    assert incoming.read(0, 11) == bytes(11)
    assert incoming.accept(0, BLOB[:1000], piece_hash(BLOB[:1000]))
    assert incoming.read(0, 1000) == BLOB[:1000]


def test_what_the_disk_damages_later_is_not_handed_out(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 2 << 20)
    incoming = store.incoming(NAME, len(BLOB))
    incoming.write(0, BLOB)
    incoming.finish(table_of(BLOB))
    (file,) = tmp_path.iterdir()
    with file.open("r+b") as opened:
        opened.seek(HEAD + 5)
        opened.write(b"?")
    with pytest.raises(LocalError, match="was damaged"):
        store.get(NAME)


def test_another_size_begins_anew(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 2 << 20)
    store.incoming(NAME, 1000)
    assert not store.incoming(NAME, 2000).resumed


def test_what_was_only_begun_makes_room(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 10_000)
    store.incoming(NAME, 8000)
    store.put(((Digest(b"m" * 32), bytes(5000)),), durable=False)
    assert store.used_bytes == HEAD + 5000
    assert sorted(file.name for file in tmp_path.iterdir()) == [(b"m" * 32).hex()]
    with pytest.raises(LocalError, match="blob_budget_mib"):
        store.incoming(NAME, 8000)
    begun = [store.incoming(Digest(bytes([number]) * 32), 10) for number in range(PARTIAL_MAX + 2)]
    begun[-1].write(0, b"x")
    with pytest.raises(LocalError, match="made room for others while it was coming"):
        begun[0].write(0, b"x")
    assert len(list(tmp_path.glob(".part-*"))) == PARTIAL_MAX


def test_what_is_promised_and_not_written_has_a_size_and_can_be_read(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 2 << 20)
    store.promise(((NAME, BLOB),), durable=True)
    for _ in range(2):
        assert store.size(NAME) == len(BLOB)
        assert store.read(NAME, 3, 5) == BLOB[3:8]
        assert store.read(NAME, len(BLOB) - 5, 100) == BLOB[-5:]
        if promised := store.take_unwritten():
            store.fulfilled(promised, store.fulfil(promised))
    assert store.size(Digest(b"m" * 32)) is None


def test_the_budget_counts_what_is_promised_and_what_is_coming(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 10_000)
    store.promise(((NAME, bytes(5000)),), durable=True)
    store.incoming(Digest(b"m" * 32), 2000)
    assert store.used_bytes == 5000 + HEAD + 2000
    with pytest.raises(LocalError, match="blob_budget_mib"):
        store.incoming(Digest(b"m" * 32), 6000)
    store.incoming(Digest(b"o" * 32), 3000)
    store.promise(((Digest(b"p" * 32), bytes(4000)),), durable=True)
    assert store.used_bytes == 5000 + 4000, "what was only begun went"


def test_what_was_put_while_it_came_stays_as_it_was_put(tmp_path: Path) -> None:
    """The file that it shares with others is not overwritten, whoever it is named after."""
    store, other = BlobStore(tmp_path, 4 << 20), Digest(b"m" * 32)
    incoming, late = store.incoming(NAME, len(BLOB)), store.incoming(other, len(BLOB))
    store.put(((NAME, BLOB), (Digest(b"o" * 32), b"beside it")), durable=False)
    store.promise(((other, BLOB),), durable=True)
    for each in (incoming, late):
        each.write(0, BLOB)
        each.finish(table_of(BLOB))
    assert list(tmp_path.glob(".part-*")) == []
    store.drop(NAME)
    again = store.incoming(NAME, len(BLOB))
    again.write(0, BLOB)
    again.finish(table_of(BLOB))
    assert (store.get(NAME), store.get(other), store.get(Digest(b"o" * 32))) == (BLOB, BLOB, b"beside it")
    store.drop(NAME)
    store.drop(Digest(b"o" * 32))
    assert list(tmp_path.iterdir()) == []
