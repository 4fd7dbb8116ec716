"""Whom to dial next, as a machine without I/O: fed with what happened, asked for an order.

Anybody can make keys and addresses by the thousand, so the order is our own (a hash that others cannot choose); the
chain's operators, each of whom has a stake, come before strangers; of one group of addresses only a few are taken; and
who could not be reached is left alone for a while, twice as long each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pnode.transport.discovery.scope import groups_of
from protocols.hashing import tagged
from protocols.types import PeerKey

PER_GROUP: Final = 2
"""Neighbours of one group of addresses, among those that we choose ourselves."""
PAUSE_S: Final = 20.0
PAUSE_MAX_S: Final = 3600.0
FAILURES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a peer was not reached, and when it may be tried again, in seconds of any clock."""

    times: int
    until: float


class DialPlan:
    """The choice of neighbours of one peer."""

    def __init__(self, me: PeerKey) -> None:
        self._me = me
        self._vouched: frozenset[PeerKey] = frozenset()
        self._failures: dict[PeerKey, Failures] = {}

    def vouch(self, peers: Iterable[PeerKey]) -> None:
        """These are operators on the chain; replaces what was said before."""
        self._vouched = frozenset(peers)

    def failed(self, peer: PeerKey, now: float) -> None:
        """It was not reached."""
        before = self._failures.pop(peer, Failures(0, 0.0))
        pause = min(PAUSE_S * 2.0 ** min(before.times, 30), PAUSE_MAX_S)
        self._failures[peer] = Failures(before.times + 1, now + pause)
        while len(self._failures) > FAILURES_MAX:
            del self._failures[next(iter(self._failures))]

    def met(self, peer: PeerKey) -> None:
        """It was reached."""
        self._failures.pop(peer, None)

    def neighbours(
        self, known: Mapping[PeerKey, Sequence[str]], connected: frozenset[PeerKey], wanted: int, now: float
    ) -> Iterator[PeerKey]:
        """Peers to be connected with, connected or not: at most `wanted` that work out (`met` or `failed` is told).

        Whoever iterates dials those that are not connected and says what came of it before it asks for the next.
        """
        groups: Counter[str] = Counter()
        for peer in sorted(known, key=lambda peer: (peer not in self._vouched, tagged("mesh", self._me, peer))):
            if wanted == 0:
                return
            if peer == self._me or (peer not in connected and self._waits(peer, now)):
                continue
            of = groups_of(known[peer])
            if any(groups[group] >= PER_GROUP for group in of):
                continue
            before = self._times(peer)
            yield peer
            if self._times(peer) <= before:
                wanted -= 1
                groups.update(of)

    def _times(self, peer: PeerKey) -> int:
        return self._failures.get(peer, Failures(0, 0.0)).times

    def _waits(self, peer: PeerKey, now: float) -> bool:
        failures = self._failures.get(peer)
        return failures is not None and failures.until > now
