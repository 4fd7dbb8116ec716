"""The node's journal: what must not happen twice is written here before it is done.

A file of records, each `length u32 | crc32(length) u32 | crc32(payload) u32 | payload`, big-endian. The length has a
checksum of its own: without it a damaged length could look like a record that a crash cut short, and everything after
it would be forgotten.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final
from zlib import crc32

import structlog

from p2pnode.files import explained, make_folder, sync_folder
from protocols.errors import LocalError

_HEADER: Final = struct.Struct(">III")
RECORD_BYTES_MAX: Final = 256 * 2**20

_log = structlog.get_logger(__name__)


class Journal:
    """An append-only file, held by one process at a time.

    Opening it cuts off a torn tail: a record that a crash left incomplete, which therefore nobody was told of.

    Raises:
        LocalError: another node holds the file, the disk refuses, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        make_folder(path.parent)
        with explained("open the journal", path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            self._cut_torn_tail()
        except BaseException:
            self.close()
            raise

    def append(self, *records: bytes) -> None:
        """Appends records; durable on return, all at the cost of one flush.

        Raises:
            LocalError: one is too long, or the disk refused; then the journal is as it was before the call.
        """
        longest = max(map(len, records), default=0)
        if longest > RECORD_BYTES_MAX:
            raise LocalError(f"a journal record has {longest} bytes, {RECORD_BYTES_MAX} at most are allowed")
        data = b"".join(map(encode_record, records))
        with explained("write to the journal", self._path):
            try:
                _write_all(self._file, data, self._end)
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, self._end)
                raise
        self._end += len(data)

    def records(self) -> tuple[bytes, ...]:
        """All records in order.

        Raises:
            LocalError: the file is damaged; names file and offset.
        """
        return self._scan()[0]

    def close(self) -> None:
        """Lets go of the file and its lock."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalError(
                f"another node is running in {self._path.parent}: stop it, or give this one a folder of its own"
            ) from error

    def _cut_torn_tail(self) -> None:
        _, self._end = self._scan()
        torn = os.fstat(self._file).st_size - self._end
        if torn:
            _log.warning("journal.torn_tail_cut", file=str(self._path), offset=self._end, bytes=torn)
        with explained("open the journal", self._path):
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)
            sync_folder(self._path.parent)

    def _scan(self) -> tuple[tuple[bytes, ...], int]:
        with explained("read the journal", self._path):
            data = self._path.read_bytes()
        try:
            return scan(data)
        except ValueError as error:
            raise LocalError(
                f"the journal {self._path} is damaged: {error}. It records what this node must never do twice, so do "
                "not shorten or delete it: bring it back from a backup of the disk, or start over with "
                "`p2pnode init` in a new folder, as a new operator"
            ) from error


def encode_record(payload: bytes) -> bytes:
    """One record as it stands in the file."""
    length = len(payload).to_bytes(4, "big")
    return _HEADER.pack(len(payload), crc32(length), crc32(payload)) + payload


def scan(data: bytes) -> tuple[tuple[bytes, ...], int]:
    """The complete records of a journal file and the offset at which they end; what follows is a torn tail.

    Raises:
        ValueError: a record is damaged; says at which offset.
    """
    records: list[bytes] = []
    offset = 0
    while len(data) - offset >= _HEADER.size:
        length, length_crc, payload_crc = _HEADER.unpack_from(data, offset)
        if crc32(data[offset : offset + 4]) != length_crc:
            if not any(data[offset:]):
                break  # a file system may have grown the file before a power cut, and not written the record
            raise ValueError(f"record {len(records)} at byte {offset} has a wrong header")
        start, end = offset + _HEADER.size, offset + _HEADER.size + length
        if end > len(data):
            break
        if crc32(data[start:end]) != payload_crc:
            raise ValueError(f"record {len(records)} at byte {offset} does not match its checksum")
        records.append(data[start:end])
        offset = end
    return tuple(records), offset


def _write_all(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
