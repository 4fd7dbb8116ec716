"""What this node has recomputed of certified headers, and with what result; from its journal on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.checkpoints.machine import header_digest
from protocols.effects import Journal
from protocols.types import Digest
from protocols.verification.trace import Recomputed
from protocols.wire.messages import Header

KIND: Final = "recomputed"
SUMS: Final = "sums"
STEP: Final = "step"


class Verdicts:
    """The first verdict on each part of a header stands: a node never says two things of one."""

    def __init__(self, records: Iterable[Journal]) -> None:
        self._found = {record.slot: record.payload == b"\1" for record in records if record.kind == KIND}

    def note(self, header: Header, part: str, *, right: bool) -> Journal | None:
        """A verdict to be journalled; None if there is one already."""
        slot = _slot(header_digest(header), part)
        if slot in self._found:
            return None
        self._found[slot] = right
        return Journal(KIND, header.slot.height, slot, b"\1" if right else b"\0")

    def of(self, header: Header) -> Recomputed:
        """All that is known of a header."""
        digest = header_digest(header)
        sums, step = (self._found.get(_slot(digest, part)) for part in (SUMS, STEP))
        return Recomputed(header, sums, step)


def _slot(digest: Digest, part: str) -> bytes:
    return digest + part.encode()
