"""Content-addressed blobs in files with a bounded total size.

Blobs that are put together share a file, so that making them durable costs one flush, not one each. A blob's name is
its digest in the protocol, which may be a Merkle root that only the protocol can recompute; so the file carries a
checksum of each, and a blob that the disk has damaged is never handed out whole; its pieces are checked by who serves
them (pieces.py: at most once a minute) and by who gets them. The checksum is `blob_digest`: SHA-256, or
above 256 KiB a digest over the SHA-256 of the pieces, which are remembered, since whoever asks for the blob asks for
them first. (Earlier versions wrote SHA-256 for larger ones, too; those are read as well.)

A file: `2PMB`, version u8, count u32, then for each blob digest (32 bytes), size u64 and checksum (32), SHA-256 of all
that (32), then the blobs. Integers are big-endian.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from p2pnode.files import explained, make_folder, sync_folder, write_durably
from p2pnode.incoming import IncomingFile
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.updates.pieces import PIECE_BYTES, PieceTable, blob_digest, table_of

_START: Final = struct.Struct(">4sBI")
_ENTRY: Final = struct.Struct(">32sQ32s")
_MAGIC, _VERSION = b"2PMB", 1
_CHECKSUM_BYTES: Final = 32
_PARTIAL: Final = ".part-"
_WHOLE: Final = ".whole"
"""Behind the name of a blob that came in pieces: no file of several blobs is in its place."""
PARTIAL_MAX: Final = 4
"""Blobs that were begun and not finished; the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a blob stands."""

    pack: str
    offset: int
    size: int
    checksum: bytes


class BlobStore:
    """Blobs in one folder.

    Attributes:
        used_bytes: what all files take; never above the budget. A file goes when the last of its blobs is dropped.

    Raises:
        LocalError: the disk refuses, or the folder holds something else.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes
        self._places: dict[Digest, _Place] = {}
        self._packs: dict[str, tuple[int, set[Digest]]] = {}
        self._dirty: set[str] = set()
        self._promised: dict[Digest, bytes] = {}
        self._unwritten: dict[Digest, bytes] = {}
        self._partial: dict[str, int] = {}
        self._tables: dict[Digest, PieceTable] = {}
        make_folder(folder)
        with explained("read the folder", folder):
            for file in folder.iterdir():
                if file.name.startswith(_PARTIAL):
                    self._partial[file.name] = file.stat().st_size
                    continue
                places = {} if file.name.startswith(".new-") else _read_index(file)
                if places.keys() - self._places.keys():
                    self._enter(file.name, places, file.stat().st_size)
                else:
                    file.unlink()  # a crash left it unfinished, or all of it stands elsewhere

    @property
    def used_bytes(self) -> int:
        """Bytes of all files, those that are still coming too, and of what is promised."""
        files = sum(size for size, _ in self._packs.values()) + sum(self._partial.values())
        return files + sum(map(len, self._promised.values()))

    def put(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:
        """Stores blobs, those that are not there. They survive a kill at once, and a power cut after `sync`.

        Raises:
            LocalError: the budget is spent or the disk refuses.
        """
        new = self._new(blobs, durable)
        if new:
            name, size = _name(new), _pack_bytes(new)
            self._enter(name, _places(self._write(new), name), size)
            if durable:
                self._dirty.add(name)

    def promise(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:
        """Takes blobs to be written by `fulfil`; until `fulfilled` they are here, but survive nothing.

        Raises:
            LocalError: the budget is spent.
        """
        new = self._new(blobs, durable)
        self._promised |= new
        self._unwritten |= new

    @property
    def unwritten_bytes(self) -> int:
        """What is promised, and not being written yet."""
        return sum(map(len, self._unwritten.values()))

    def take_unwritten(self) -> dict[Digest, bytes]:
        """What is to be written: hand it to `fulfil`."""
        taken, self._unwritten = self._unwritten, {}
        return taken

    def fulfil(self, new: dict[Digest, bytes]) -> bytes:
        """Writes promised blobs, durably, and returns their file's index; it may run in a thread beside the others.

        Raises:
            LocalError: the disk refuses; the next attempt may follow.
        """
        index = self._write(new)
        self.sync(frozenset([_name(new)]))
        return index

    def fulfilled(self, new: dict[Digest, bytes], index: bytes) -> None:
        """Notes where promised blobs stand now; those dropped meanwhile go."""
        name = _name(new)
        self._enter(name, _places(index, name), _pack_bytes(new))
        for digest in new:
            self._unwritten.pop(digest, None)  # dropped meanwhile, and back
            if self._promised.pop(digest, None) is None:
                self.drop(digest)

    def unfulfilled(self, new: dict[Digest, bytes]) -> None:
        """Takes back what could not be written."""
        self._unwritten |= {digest: blob for digest, blob in new.items() if digest in self._promised}

    def _new(self, blobs: Sequence[tuple[Digest, bytes]], durable: bool) -> dict[Digest, bytes]:
        """Those that are not here, if there is room for them."""
        if durable:
            self._dirty.update(self._places[digest].pack for digest, _ in blobs if digest in self._places)
        new = {each: blob for each, blob in blobs if each not in self._places and each not in self._promised}
        if new:
            self._make_room(_pack_bytes(new))
        return new

    def _write(self, new: dict[Digest, bytes]) -> bytes:
        """One file, there whole or not at all; its index."""
        tables = {digest: table_of(blob) for digest, blob in new.items()}
        self._tables |= {each: table for each, table in tables.items() if _in_pieces(each, table)}
        index = _index_of([(digest, table.size, table.digest) for digest, table in tables.items()])
        path = self._folder / _name(new)
        write_durably(path, b"".join([index, *new.values()]), replace=True, sync=False)
        return index

    def take_unsynced(self) -> frozenset[str]:
        """The files that are to be made durable: hand them to `sync`."""
        taken, self._dirty = frozenset(self._dirty), set()
        return taken

    def unsynced(self, names: frozenset[str]) -> None:
        """Takes back files that could not be made durable."""
        self._dirty |= names & self._packs.keys()

    def sync(self, names: frozenset[str]) -> None:
        """Makes files durable that `take_unsynced` named; it may run in a thread beside the other methods.

        Raises:
            LocalError: the disk refuses.
        """
        for name in sorted(names):
            with explained("write", self._folder / name):
                _sync_file(self._folder / name)
        if names:
            with explained("write", self._folder):
                sync_folder(self._folder)

    def get(self, digest: Digest) -> bytes | None:
        """The blob, or None if it is not here.

        Raises:
            LocalError: the file was damaged on the disk.
        """
        place = self._places.get(digest)
        if place is None:
            return self._promised.get(digest)
        path = self._folder / place.pack
        with explained("read", path), path.open("rb") as file:
            file.seek(place.offset)
            blob = file.read(place.size)
        if blob_digest(blob) != place.checksum and hashlib.sha256(blob).digest() != place.checksum:
            raise LocalError(f"the blob {path} was damaged on the disk: stop the node, delete that file, and restart")
        return blob

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob, if it is here."""
        if digest in self._places:
            return self._places[digest].size
        return len(self._promised[digest]) if digest in self._promised else None

    def read(self, digest: Digest, at: int, count: int) -> bytes:
        """Part of a blob that is here; the caller checks it.

        Raises:
            LocalError: the disk refuses.
        """
        place = self._places.get(digest)
        if place is None:
            return self._promised[digest][at : at + count]
        with explained("read", path := self._folder / place.pack), path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), min(count, place.size - at), place.offset + at)

    def table(self, digest: Digest) -> PieceTable | None:
        """The pieces of a blob that is named by them, if it was written since the start."""
        return self._tables.get(digest)

    def incoming(self, digest: Digest, size: int) -> IncomingFile:
        """Room for a blob of this size that comes in pieces; takes up what an earlier try has left.

        Raises:
            LocalError: the budget is spent or the disk refuses.
        """
        path = self._folder / f"{_PARTIAL}{digest.hex()}"
        offset = _pack_bytes({digest: b""})
        if self._partial.get(path.name) != offset + size:
            self._forget_partial(path.name)
            self._make_room(offset + size)
        incoming = IncomingFile(path, size, offset, partial(self._finished, digest))
        self._partial.pop(path.name, None)
        self._partial[path.name] = offset + size  # the youngest now
        while len(self._partial) > PARTIAL_MAX:
            self._forget_partial(next(iter(self._partial)))
        return incoming

    def _finished(self, digest: Digest, incoming: IncomingFile, table: PieceTable) -> None:
        if digest in self._places or digest in self._promised:  # it was put meanwhile
            self._forget_partial(incoming.path.name)
            return
        index, name = _index_of([(digest, incoming.size, digest)]), f"{digest.hex()}{_WHOLE}"
        with explained("write", incoming.path):
            incoming.write(-incoming.offset, index)
            incoming.path.replace(self._folder / name)
        self._partial.pop(incoming.path.name, None)
        self._enter(name, _places(index, name), incoming.offset + incoming.size)
        self._tables[digest] = table

    def _make_room(self, size: int) -> None:
        """What was begun and not finished goes first where room is short."""
        while self._partial and self.used_bytes + size > self._budget_bytes:
            self._forget_partial(next(iter(self._partial)))
        if self.used_bytes + size > self._budget_bytes:
            raise LocalError(
                f"no room for blobs of {size} bytes in {self._folder}: {self.used_bytes} of {self._budget_bytes} bytes "
                "are in use; raise blob_budget_mib in the settings"
            )

    def _forget_partial(self, name: str) -> None:
        self._partial.pop(name, None)
        with explained("delete", self._folder / name):
            (self._folder / name).unlink(missing_ok=True)

    def drop(self, digest: Digest) -> None:
        """Forgets a blob; a no-op if it is not here."""
        self._promised.pop(digest, None)
        self._unwritten.pop(digest, None)
        self._tables.pop(digest, None)
        place = self._places.pop(digest, None)
        if place is None:
            return
        left = self._packs[place.pack][1]
        left.discard(digest)
        if left:
            return
        del self._packs[place.pack]
        self._dirty.discard(place.pack)
        with explained("delete", self._folder / place.pack):
            (self._folder / place.pack).unlink(missing_ok=True)

    def digests(self) -> tuple[Digest, ...]:
        """All blobs that are here."""
        return (*self._places, *self._promised)

    def _enter(self, name: str, places: dict[Digest, _Place], size: int) -> None:
        mine = {digest: place for digest, place in places.items() if digest not in self._places}
        self._places |= mine
        self._packs[name] = size, set(mine)


def _name(blobs: dict[Digest, bytes]) -> str:
    """A file's name, by all blobs in it, so that one that still holds others is never written over."""
    first, *others = blobs
    return hashlib.sha256(b"".join(blobs)).hexdigest() if others else first.hex()


def _pack_bytes(blobs: dict[Digest, bytes]) -> int:
    """What a file of these blobs takes."""
    return _START.size + len(blobs) * _ENTRY.size + _CHECKSUM_BYTES + sum(map(len, blobs.values()))


def _in_pieces(digest: Digest, table: PieceTable) -> bool:
    return table.size > PIECE_BYTES and table.digest == digest


def _index_of(blobs: Sequence[tuple[Digest, int, bytes]]) -> bytes:
    entries = [_ENTRY.pack(*each) for each in blobs]
    index = b"".join([_START.pack(_MAGIC, _VERSION, len(entries)), *entries])
    return index + hashlib.sha256(index).digest()


def _places(index: bytes, name: str) -> dict[Digest, _Place]:
    """What an index says."""
    places, offset = {}, len(index)
    for digest, size, checksum in _ENTRY.iter_unpack(index[_START.size : -_CHECKSUM_BYTES]):
        places[Digest(digest)] = _Place(name, offset, size, checksum)
        offset += size
    return places


def _read_index(file: Path) -> dict[Digest, _Place]:
    """The blobs of a file; of one that is not whole, none.

    Raises:
        LocalError: the file is none of ours.
    """
    with file.open("rb") as opened:
        start = opened.read(_START.size)
        if start[:4] != _MAGIC[: len(start)]:
            raise LocalError(f"{file} is no file of this version of p2pnode: use that one, or choose another folder")
        if len(start) < _START.size:
            return {}
        index = start + opened.read(_ENTRY.size * _START.unpack(start)[2] + _CHECKSUM_BYTES)
    sound = hashlib.sha256(index[:-_CHECKSUM_BYTES]).digest() == index[-_CHECKSUM_BYTES:]
    return _places(index, file.name) if sound else {}


def _sync_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # dropped meanwhile
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
