"""What is kept comes back; what is damaged is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2pnode.peer_cache import CACHED_MAX, FILE_NAME, CachedPeer, read_peers, write_peers
from protocols.errors import LocalError

PEERS = (CachedPeer(b"a record", ("/ip4/8.8.8.8/tcp/1",)), CachedPeer(b"another", ()))


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    assert read_peers(tmp_path) == ()
    write_peers(tmp_path, PEERS[:1])
    write_peers(tmp_path, PEERS)
    assert read_peers(tmp_path) == PEERS
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x91\xdd\xff\xff\xff\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(junk)
    with pytest.raises(LocalError, match="delete it"):
        read_peers(tmp_path)


def test_no_more_than_so_many_are_read(tmp_path: Path) -> None:
    write_peers(tmp_path, PEERS[:1] * CACHED_MAX)
    assert len(read_peers(tmp_path)) == CACHED_MAX
    write_peers(tmp_path, PEERS[:1] * (CACHED_MAX + 1))
    with pytest.raises(LocalError, match="delete it"):
        read_peers(tmp_path)
