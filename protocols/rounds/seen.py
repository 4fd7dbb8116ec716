"""What a member has seen of dealings in an epoch, from its journal on: none shows again, under whatever name.

A stranger that could have a victim's encrypted shares counted as its own would weigh the victim twice in a sum, and
often enough so that the sum shows it (protocol.md, Aggregation). Sealing binds shares to their dealer and round
already; this rule stands beside it, and holds across void rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from protocols.effects import Journal
from protocols.errors import RemoteError
from protocols.params import COMMITTEE_MAX
from protocols.types import Digest, Height
from protocols.wire.codec import Size, decode, encode

KIND: Final = "dealt"
RECORD_MAX_BYTES: Final = 1 << 24
_MARKS_MAX: Final = COMMITTEE_MAX + 2


@dataclass(frozen=True, slots=True)
class Taken:
    """A dealing that this member took: the manifest it came in, and what must not come in another one."""

    manifest: Digest
    marks: Annotated[tuple[Digest, ...], Size(1, _MARKS_MAX)]


@dataclass(frozen=True, slots=True)
class _Record:
    taken: Annotated[tuple[Taken, ...], Size(1, 8192)]


class SeenDealings:
    """One member's memory, for the rounds of an epoch."""

    def __init__(self, journal: Iterable[Journal] = ()) -> None:
        self._owner: dict[Digest, tuple[int, Digest]] = {}
        self._unwritten: dict[int, list[Taken]] = {}
        for record in journal:
            if record.kind == KIND:
                for taken in decode(record.payload, _Record, RECORD_MAX_BYTES).taken:
                    self._remember(record.height, taken)

    def take(self, height: Height, taken: Taken) -> None:
        """Remembers a dealing; the very same one may come again.

        Raises:
            RemoteError: a part of it came in another manifest before. Nobody is named: who copied whom is not known.
        """
        if any(self._owner.get(mark, (height, taken.manifest))[1] != taken.manifest for mark in taken.marks):
            raise RemoteError("the dealing repeats a key, ciphertexts or a sealed share of an earlier one")
        if taken.marks[0] not in self._owner:
            self._remember(height, taken)
            self._unwritten.setdefault(height, []).append(taken)

    def record(self, height: Height) -> list[Journal]:
        """What must be journalled of a round: all that was taken in it since the last call, in one record."""
        taken = tuple(self._unwritten.pop(height, ()))
        return [Journal(KIND, height, b"", encode(_Record(taken)))] if taken else []

    def forget(self, below: int) -> None:
        """Rounds of past epochs are closed: nothing of theirs opens any more, so nothing can come back."""
        self._owner = {mark: owner for mark, owner in self._owner.items() if owner[0] >= below}
        for height in [each for each in self._unwritten if each < below]:
            del self._unwritten[height]

    def _remember(self, height: int, taken: Taken) -> None:
        for mark in taken.marks:
            self._owner[mark] = height, taken.manifest
