import hashlib

import pytest

from p2pnode.blobs import BlobStore
from protocols.errors import LocalError
from protocols.types import Digest

NAME, OTHER = Digest(hashlib.sha256(b"a").digest()), Digest(hashlib.sha256(b"b").digest())


def test_blobs_survive_a_reopening(tmp_path):
    BlobStore(tmp_path, 1000).put(NAME, b"blob", durable=True)
    again = BlobStore(tmp_path, 1000)
    assert again.get(NAME) == b"blob"
    assert again.get(OTHER) is None
    again.drop(NAME)
    again.drop(NAME)
    assert again.get(NAME) is None
    assert BlobStore(tmp_path, 1000).get(NAME) is None


def test_the_budget_holds_and_counts_what_is_there(tmp_path):
    store = BlobStore(tmp_path, 100)
    store.put(NAME, bytes(60), durable=True)
    store.put(NAME, bytes(60), durable=True)
    assert store.used_bytes == 92
    for full in (store, BlobStore(tmp_path, 100)):
        with pytest.raises(LocalError, match="92 of 100 bytes are in use; raise blob_budget_mib"):
            full.put(OTHER, b"", durable=True)
    store.drop(NAME)
    store.put(OTHER, b"fits", durable=True)
    assert store.get(OTHER) == b"fits"


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:33] + b"?" + data[34:]]
)
def test_a_blob_that_the_disk_damaged_is_not_handed_out(tmp_path, damage):
    store = BlobStore(tmp_path, 1000)
    store.put(NAME, b"precious", durable=True)
    path = tmp_path / NAME.hex()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LocalError, match=f"{path} was damaged"):
        store.get(NAME)


def test_what_a_crash_left_unfinished_is_swept_up(tmp_path):
    (tmp_path / ".new-abc").write_bytes(b"half")
    assert BlobStore(tmp_path, 1000).used_bytes == 0
    assert list(tmp_path.iterdir()) == []
