"""Kademlia without I/O (Maymounkov and Mazieres 2002; libp2p specs, kad-dht): buckets, and the search for a key.

Keys are SHA-256 of peer ids; the distance is XOR. What strangers answer is bounded: so many peers an answer, so many
addresses a peer, so many questions a search, few of them to one group of addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from p2pnode.transport.addresses import peer_id_of
from p2pnode.transport.discovery.scope import groups_of
from protocols.types import PeerKey

BUCKET: Final = 20
"""k: peers in a bucket, and in an answer."""
PARALLEL: Final = 3
ADDRESSES_MAX: Final = 8
CANDIDATES_MAX: Final = 256
QUESTIONS_MAX: Final = 48
QUESTIONS_PER_GROUP: Final = 6

Hint = tuple[PeerKey, tuple[str, ...]]
"""A peer, and where it is said to be."""


def place_of(peer: PeerKey) -> int:
    """Where a peer stands in the key space."""
    return key_place(peer_id_of(peer).to_bytes())


def key_place(key: bytes) -> int:
    """Where a wanted key (a peer id's bytes) stands."""
    return int.from_bytes(sha256(key).digest(), "big")


class Buckets:
    """Peers by their distance to us. Who is here stays for as long as it answers: newcomers cannot push it out."""

    def __init__(self, me: PeerKey) -> None:
        self._me, self._place = me, place_of(me)
        self._buckets: dict[int, dict[PeerKey, int]] = {}

    def add(self, peer: PeerKey) -> None:
        """A peer that has answered us."""
        place = place_of(peer)
        bucket = self._buckets.setdefault((place ^ self._place).bit_length(), {})
        if peer != self._me and (peer in bucket or len(bucket) < BUCKET):
            bucket[peer] = place

    def remove(self, peer: PeerKey) -> None:
        """A peer that did not answer."""
        for bucket in self._buckets.values():
            bucket.pop(peer, None)

    def nearest(self, place: int, count: int = BUCKET) -> list[PeerKey]:
        """The peers nearest to a place."""
        everyone = [(there ^ place, peer) for bucket in self._buckets.values() for peer, there in bucket.items()]
        return [peer for _, peer in sorted(everyone)[:count]]

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))


@dataclass
class Lookup:
    """A search for the peers nearest to a place.

    Attributes:
        place: what is looked for.
        me: not asked.
        answered: who answered.
        heard: everybody that was heard of, with its addresses.
    """

    place: int
    me: PeerKey
    answered: set[PeerKey] = field(default_factory=set)
    heard: dict[PeerKey, tuple[str, ...]] = field(default_factory=dict)
    _asked: set[PeerKey] = field(default_factory=set)
    _groups: Counter[str] = field(default_factory=Counter)

    def start(self, known: Sequence[Hint]) -> None:
        """Where to begin."""
        self.heard |= {peer: addresses for peer, addresses in known if peer != self.me}

    def next(self) -> list[PeerKey]:
        """Whom to ask now; nobody once the nearest that are left have all been asked, or enough have."""
        chosen: list[PeerKey] = []
        for peer in self._nearest()[:BUCKET]:
            if len(chosen) == PARALLEL or len(self._asked) == QUESTIONS_MAX:
                break
            if peer not in self._asked and self._group_has_room(peer):
                self._asked.add(peer)
                chosen.append(peer)
        return chosen

    def told(self, by: PeerKey, peers: Sequence[Hint], admits: Callable[[str], bool]) -> None:
        """An answer; `admits` says which addresses may be dialled. More than an answer may hold is not looked at."""
        self.answered.add(by)
        for peer, addresses in peers[:BUCKET]:
            fit = tuple(address for address in addresses[:ADDRESSES_MAX] if admits(address))
            if fit and peer != self.me and peer not in self.heard:
                self.heard[peer] = fit
        while len(self.heard) > CANDIDATES_MAX:
            del self.heard[max(self.heard, key=self._distance)]

    def failed(self, peer: PeerKey) -> None:
        """No answer."""
        self.heard.pop(peer, None)

    def nearest_that_answered(self) -> list[PeerKey]:
        """The search's result."""
        return [peer for peer in self._nearest() if peer in self.answered]

    def _nearest(self) -> list[PeerKey]:
        return sorted(self.heard, key=self._distance)

    def _distance(self, peer: PeerKey) -> int:
        return place_of(peer) ^ self.place

    def _group_has_room(self, peer: PeerKey) -> bool:
        of = groups_of(self.heard[peer])
        if any(self._groups[group] >= QUESTIONS_PER_GROUP for group in of):
            return False
        self._groups.update(of)
        return True
