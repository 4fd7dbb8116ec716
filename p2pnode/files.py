"""Files that are there whole or not at all, also after a power cut; and OSErrors in words for people."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from protocols.errors import LocalError

_CURES: Final = {
    errno.EACCES: "check who owns it and its permissions",
    errno.EPERM: "check who owns it and its permissions",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOSPC: "free some space",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "something with this name is there already",
}


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turns an OSError within into a `LocalError`: 'cannot <action> <path>: <why>; <cure>'."""
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "check the disk")
        raise LocalError(f"cannot {action} {path}: {error.strerror or error}; {cure}") from error


def make_folder(path: Path) -> None:
    """Creates a folder and its parents, readable by the owner alone; no error if it is there."""
    with explained("create the folder", path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes renames and creations in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes, *, replace: bool, sync: bool = True) -> None:
    """Writes a file of mode 0600 that is there whole or not at all; durable on return unless `sync` is false.

    Raises:
        LocalError: the disk refused, or `path` exists and `replace` is false.
    """
    temporary = path.with_name(f".new-{path.name}")
    with explained("write", path):
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # unlike a rename, fails if the name is taken
            if sync:
                sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
