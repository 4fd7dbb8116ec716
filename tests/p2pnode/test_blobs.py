import hashlib

import pytest

from p2pnode.blobs import BlobStore, _index_of
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.updates.pieces import blob_digest, table_of

NAMES = NAME, OTHER, THIRD = [Digest(hashlib.sha256(letter).digest()) for letter in (b"a", b"b", b"c")]
OVERHEAD = 9 + 72 + 32
"""Bytes of a file with one blob, beside the blob."""


def put(store: BlobStore, *blobs: tuple[Digest, bytes]) -> None:
    store.put(blobs, durable=True)
    store.sync(store.take_unsynced())


def test_blobs_survive_a_reopening_and_share_a_file(tmp_path):
    put(BlobStore(tmp_path, 1000), (NAME, b"blob"), (OTHER, b""), (THIRD, b"third"))
    assert len(list(tmp_path.iterdir())) == 1
    again = BlobStore(tmp_path, 1000)
    assert [again.get(name) for name in NAMES] == [b"blob", b"", b"third"]
    assert again.get(Digest(bytes(32))) is None
    again.drop(NAME)
    again.drop(NAME)
    assert (again.get(NAME), again.get(THIRD)) == (None, b"third")
    again.drop(OTHER)
    again.drop(THIRD)
    assert list(tmp_path.iterdir()) == []
    assert BlobStore(tmp_path, 1000).digests() == ()


def test_a_blob_that_is_there_is_not_written_again(tmp_path):
    store = BlobStore(tmp_path, 1000)
    put(store, (NAME, b"one"))
    put(store, (NAME, b"one"), (OTHER, b"two"))
    assert store.used_bytes == 2 * OVERHEAD + 6
    again = BlobStore(tmp_path, 1000)
    assert (again.get(NAME), again.get(OTHER), again.used_bytes) == (b"one", b"two", store.used_bytes)


def test_the_budget_holds_and_counts_what_is_there(tmp_path):
    store = BlobStore(tmp_path, OVERHEAD + 60)
    put(store, (NAME, bytes(60)))
    put(store, (NAME, bytes(60)))
    assert store.used_bytes == OVERHEAD + 60
    for full in (store, BlobStore(tmp_path, OVERHEAD + 60)):
        with pytest.raises(LocalError, match="173 of 173 bytes are in use; raise blob_budget_mib"):
            put(full, (OTHER, b""))
    store.drop(NAME)
    put(store, (OTHER, b"fits"))
    assert store.get(OTHER) == b"fits"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-2] + b"?" + data[-1:]])
def test_a_blob_that_the_disk_damaged_is_not_handed_out(tmp_path, damage):
    store = BlobStore(tmp_path, 1000)
    put(store, (NAME, b"precious"))
    path = tmp_path / NAME.hex()
    path.write_bytes(damage(path.read_bytes()))
    for damaged in (store, BlobStore(tmp_path, 1000)):
        with pytest.raises(LocalError, match=f"{path} was damaged"):
            damaged.get(NAME)


@pytest.mark.parametrize("left", [b"", b"2PM", b"2PMB\1\0\0\0\1half"])
@pytest.mark.parametrize("name", [".new-abc", NAME.hex()])
def test_what_a_crash_left_unfinished_is_swept_up(tmp_path, name, left):
    (tmp_path / name).write_bytes(left)
    assert BlobStore(tmp_path, 1000).used_bytes == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_version_is_left_alone(tmp_path):
    (tmp_path / NAME.hex()).write_bytes(b"something else")
    with pytest.raises(LocalError, match="is no file of this version of p2pnode"):
        BlobStore(tmp_path, 1000)
    assert (tmp_path / NAME.hex()).exists()


def test_only_what_is_durable_waits_to_be_flushed(tmp_path):
    store = BlobStore(tmp_path, 1000)
    store.put(((NAME, b"others have it"),), durable=False)
    assert store.take_unsynced() == frozenset()
    store.put(((NAME, b"others have it"), (OTHER, b"mine")), durable=True)
    assert store.take_unsynced() == {NAME.hex(), OTHER.hex()}
    store.unsynced(frozenset({NAME.hex(), THIRD.hex()}))
    assert store.take_unsynced() == {NAME.hex()}
    store.drop(OTHER)
    store.sync(frozenset({NAME.hex(), OTHER.hex()}))  # what was dropped meanwhile needs no flush
    assert store.get(NAME) == b"others have it"


@pytest.mark.parametrize("first", [0, 1])
def test_a_blob_that_was_dropped_and_comes_again_harms_none_that_it_shared_a_file_with(tmp_path, first):
    both = [(Digest(bytes([n]) * 32), bytes([n]) * 100 * n) for n in (1, 2)]
    store = BlobStore(tmp_path / "blobs", 1 << 20)
    store.put(both, durable=True)
    store.drop(both[first][0])
    store.put([both[first]], durable=True)
    assert [store.get(digest) for digest, _ in both] == [blob for _, blob in both]
    again = BlobStore(tmp_path / "blobs", 1 << 20)
    assert [again.get(digest) for digest, _ in both] == [blob for _, blob in both]
    for digest, _ in both:
        again.drop(digest)
    assert again.used_bytes == 0
    assert list((tmp_path / "blobs").iterdir()) == []


LARGE = bytes(range(256)) * 2048 + b"tail"
ITSELF, PIECES = Digest(hashlib.sha256(LARGE).digest()), blob_digest(LARGE)


@pytest.mark.parametrize("name", [ITSELF, PIECES, NAME])
def test_a_large_blob_is_handed_out_whatever_it_is_named_after(tmp_path, name):
    store = BlobStore(tmp_path, 1 << 20)
    put(store, (name, LARGE))
    assert store.get(name) == BlobStore(tmp_path, 1 << 20).get(name) == LARGE
    assert store.table(name) == (table_of(LARGE) if name == PIECES else None), "chunks are not asked for by pieces"
    store.drop(name)
    assert store.table(name) is None


def test_a_promised_blob_has_its_table_once_it_is_written(tmp_path):
    store = BlobStore(tmp_path, 1 << 20)
    store.promise(((PIECES, LARGE),), durable=True)
    assert store.table(PIECES) is None
    promised = store.take_unwritten()
    store.drop(PIECES)  # while it is being written
    store.fulfilled(promised, store.fulfil(promised))
    assert (store.get(PIECES), store.table(PIECES), list(tmp_path.iterdir())) == (None, None, [])


@pytest.mark.parametrize("damaged", [False, True])
def test_what_an_earlier_version_wrote_is_read_and_checked(tmp_path, damaged):
    """It had the SHA-256 of a large blob for a checksum."""
    blob = LARGE[:-1] + b"?" if damaged else LARGE
    (tmp_path / NAME.hex()).write_bytes(_index_of([(NAME, len(LARGE), ITSELF)]) + blob)
    store = BlobStore(tmp_path, 1 << 20)
    if damaged:
        with pytest.raises(LocalError, match="was damaged"):
            store.get(NAME)
    else:
        assert store.get(NAME) == LARGE
