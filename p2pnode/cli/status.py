"""Asks a running node how it is."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from p2pnode.telemetry import ADDRESS_FILE
from protocols.errors import LocalError

_TIMEOUT_S = 5.0


def fetch_status(folder: Path) -> dict[str, object]:
    """What the node that runs in `folder` tells of itself.

    Raises:
        LocalError: none is running.
    """
    try:
        url = (folder / ADDRESS_FILE).read_text()
        with urllib.request.urlopen(f"{url}/status", timeout=_TIMEOUT_S) as response:  # noqa: S310  # our own file's URL
            status: dict[str, object] = json.load(response)
            return status
    except (OSError, ValueError) as error:
        raise LocalError(f"no node is running in {folder.resolve()}: start one with `p2pnode run`") from error


def table(status: dict[str, object]) -> str:
    """The status for people: a line for each fact, names aligned; what is not known yet is a dash."""
    width = max(map(len, status))
    return "\n".join(
        f"{name.replace('_', ' '):{width}}  {'-' if value is None else value}" for name, value in status.items()
    )
