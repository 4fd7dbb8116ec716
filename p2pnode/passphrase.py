"""Where the keys' passphrase comes from: the environment, a private file, or the person at the terminal."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from p2pnode.files import explained
from p2pnode.settings import PASSPHRASE_VARIABLE
from protocols.errors import LocalError
from protocols.types import Secret


def read_passphrase(file: Path | None, ask: Callable[[], str] | None) -> Secret:
    """The passphrase from P2PNODE_PASSPHRASE, else from `file`, else from `ask` (None where nobody can be asked).

    Raises:
        LocalError: there is none, it is empty, or others may read the file.
    """
    if PASSPHRASE_VARIABLE in os.environ:
        text = os.environ[PASSPHRASE_VARIABLE]
    elif file:
        text = _private_text(file)
    elif ask:
        text = ask()
    else:
        raise LocalError(
            f"the keys' passphrase is needed and nobody can be asked: set {PASSPHRASE_VARIABLE}, or passphrase_file "
            "in the settings"
        )
    if not text:
        raise LocalError("the passphrase is empty")
    return Secret(text.encode())


def _private_text(file: Path) -> str:
    with explained("read the passphrase", file):
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise LocalError(f"others than you may read the passphrase in {file}: `chmod 600 {file}`")
        return file.read_text().rstrip("\r\n")
