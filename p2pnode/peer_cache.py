"""The file of peers by which a node comes back when nobody else shows the way: signed records, so many at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from p2pnode.files import explained, write_durably
from protocols.errors import LocalError, MalformedError
from protocols.wire.codec import Size, decode, encode

FILE_NAME: Final = "peers"
CACHED_MAX: Final = 256
FILE_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class CachedPeer:
    """A signed `AddressRecord`, and those of its addresses that were found fit to dial where we are."""

    record: Annotated[bytes, Size(1, 8192)]
    routes: Annotated[tuple[Annotated[str, Size(1, 256)], ...], Size(0, 16)]


@dataclass(frozen=True, slots=True)
class CachedPeers:
    """The file."""

    peers: Annotated[tuple[CachedPeer, ...], Size(0, CACHED_MAX)]


def read_peers(folder: Path) -> tuple[CachedPeer, ...]:
    """What was kept; nothing before the first time.

    Raises:
        LocalError: the file is damaged; it can be deleted.
    """
    file = folder / FILE_NAME
    if not file.exists():
        return ()
    try:
        with explained("read the peers", file):
            return decode(file.read_bytes(), CachedPeers, FILE_MAX_BYTES).peers
    except MalformedError as error:
        raise LocalError(f"{file} is damaged ({error}); delete it, and peers are found afresh") from error


def write_peers(folder: Path, peers: Sequence[CachedPeer]) -> None:
    """Replaces what was kept; raises `LocalError` if the disk refuses."""
    write_durably(folder / FILE_NAME, encode(CachedPeers(tuple(peers))), replace=True, sync=False)
