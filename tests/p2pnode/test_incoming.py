from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from p2pnode.blobs import PARTIAL_MAX, BlobStore
from p2pnode.incoming import STEP_BYTES
from protocols.errors import LocalError
from protocols.types import Digest

NAME = Digest(b"n" * 32)
BLOB = bytes(range(256)) * 3000
HEAD = 9 + 72 + 32


async def test_pieces_in_any_order_make_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, 2 << 20)
    incoming = store.incoming(NAME, len(BLOB))
    assert not incoming.resumed
    incoming.write(STEP_BYTES, BLOB[STEP_BYTES:])
    incoming.write(0, BLOB[:STEP_BYTES])
    assert store.get(NAME) is None
    assert incoming.read(STEP_BYTES - 3, 6) == BLOB[STEP_BYTES - 3 : STEP_BYTES + 3]
    await incoming.finish()
    for each in (store, BlobStore(tmp_path, 2 << 20)):
        assert each.get(NAME) == BLOB
        assert each.size(NAME) == len(BLOB)
        assert each.read(NAME, len(BLOB) - 5, 100) == BLOB[-5:]
        assert each.used_bytes == HEAD + len(BLOB)


async def test_what_came_before_a_crash_is_there_after_it(tmp_path: Path) -> None:
    BlobStore(tmp_path, 2 << 20).incoming(NAME, len(BLOB)).write(0, BLOB[:1000])
    again = BlobStore(tmp_path, 2 << 20)
    assert again.digests() == ()
    assert again.used_bytes == HEAD + len(BLOB)
    incoming = again.incoming(NAME, len(BLOB))
    assert incoming.resumed
    assert incoming.read(0, 1000) == BLOB[:1000]
    incoming.write(1000, BLOB[1000:])
    await incoming.finish()
    assert hashlib.sha256(again.get(NAME) or b"").digest() == hashlib.sha256(BLOB).digest()


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
    for number in range(PARTIAL_MAX + 2):
        store.incoming(Digest(bytes([number]) * 32), 10)
    assert len(list(tmp_path.glob(".part-*"))) == PARTIAL_MAX
