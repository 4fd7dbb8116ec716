"""How others behave: points for what they did, which fade; who has too many is not listened to, then banned.

Everything that is reported passes through here, so whoever is named by any part of the transport is counted in one
place, whatever connection it came by. A ban ends by itself, and outlives a restart.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import trio

from p2pnode.files import explained, write_durably
from p2pnode.transport.direct import Report
from p2pnode.transport.limits import Limits
from protocols.errors import LocalError
from protocols.types import PeerKey

POINTS: Final[Mapping[str, float]] = {
    "yamux-violation": 60.0,
    "gossip-malformed-rpc": 20.0,
    "gossip-frame-refused": 20.0,
    "frame-refused": 20.0,
    "response-refused": 20.0,
    "blob-refused": 20.0,
    "kad-refused": 5.0,
    "request-refused": 5.0,
    "gossip-bad-signature": 1.0,
    "gossip-too-large": 1.0,
    "gossip-rejected": 1.0,
    "address-refused": 1.0,
    "too-many-streams": 1.0,
    "gossip-flood": 0.1,
    "gossip-control-flood": 0.1,
}
"""Only what no honest peer does. All else that is reported (a slow neighbour, a full inbox) costs nothing."""


class Conduct:
    """The points and bans of all peers that were ever named.

    Args:
        tell: hears every report, after it was counted.
        folder: where bans are kept; None forgets them with the process.
        now: Unix seconds, for what is kept.
    """

    def __init__(
        self, limits: Limits, tell: Report, folder: Path | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._limits, self._tell, self._now = limits, tell, now
        self._file = folder / "bans.json" if folder is not None else None
        self._points: OrderedDict[PeerKey, tuple[float, float]] = OrderedDict()
        self._bans: dict[PeerKey, float] = self._read() if self._file is not None else {}
        self.on_ban: Callable[[PeerKey], None] = lambda _peer: None

    def report(self, kind: str, peer: PeerKey | None) -> None:
        """Counts what a peer did (None: nobody can be named) and passes it on."""
        points = POINTS.get(kind, 0.0)
        if peer is not None and points:
            self._add(peer, points)
        self._tell(kind, peer)
        if peer is not None and points and self.points(peer) >= self._limits.ban_points and not self.is_banned(peer):
            self._ban(peer)

    def points(self, peer: PeerKey) -> float:
        """What is left of a peer's points: they halve every `points_half_life_seconds`."""
        points, at = self._points.get(peer, (0.0, 0.0))
        halvings = (trio.current_time() - at) / self._limits.points_half_life_seconds
        return float(points * 0.5**halvings)

    def listens_to(self, peer: PeerKey) -> bool:
        """False while a peer is graylisted: its gossip is not even looked at."""
        return self.points(peer) < self._limits.graylist_points and not self.is_banned(peer)

    def is_banned(self, peer: PeerKey) -> bool:
        """A ban that would last longer than any was set by a clock that has been put back since: it is over."""
        return 0.0 < self._bans.get(peer, 0.0) - self._now() <= self._limits.ban_seconds

    def _add(self, peer: PeerKey, points: float) -> None:
        self._points[peer] = self.points(peer) + points, trio.current_time()
        self._points.move_to_end(peer)
        while len(self._points) > self._limits.known_peers:
            self._points.popitem(last=False)

    def _ban(self, peer: PeerKey) -> None:
        now = self._now()
        self._bans = {who: until for who, until in self._bans.items() if until > now}
        while len(self._bans) >= self._limits.bans:
            self._bans.pop(min(self._bans, key=self._bans.__getitem__))
        self._bans[peer] = now + self._limits.ban_seconds
        if self._file is not None:
            kept = {who.hex(): until for who, until in self._bans.items()}
            write_durably(self._file, json.dumps(kept).encode(), replace=True)
        self._tell("banned", peer)
        self.on_ban(peer)

    def _read(self) -> dict[PeerKey, float]:
        assert self._file is not None
        if not self._file.exists():
            return {}
        try:
            with explained("read", self._file):
                kept = json.loads(self._file.read_bytes())
            return {PeerKey(bytes.fromhex(who)): float(until) for who, until in kept.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise LocalError(f"{self._file} is damaged ({error}); delete it, and bans begin afresh") from error
