"""Points that fade, the graylist, and bans that end by themselves and outlive a restart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import trio

from p2pnode.transport.conduct import POINTS, Conduct
from p2pnode.transport.limits import Limits
from protocols.errors import LocalError
from protocols.types import PeerKey

BAD, GOOD = PeerKey(b"b" * 32), PeerKey(b"g" * 32)
LIMITS = Limits(graylist_points=40, ban_points=100, points_half_life_seconds=30, ban_seconds=600)


class Scene:
    """A conduct with a clock of its own for what it keeps."""

    def __init__(self, folder: Path | None = None, limits: Limits = LIMITS) -> None:
        self.time, self.told, self.dropped = 1e9, Counter(), []
        self.conduct = Conduct(limits, lambda kind, peer: self.told.update([(kind, peer)]), folder, lambda: self.time)
        self.conduct.on_ban = self.dropped.append

    def did(self, kind: str, times: int = 1, peer: PeerKey | None = BAD) -> None:
        for _ in range(times):
            self.conduct.report(kind, peer)


async def test_points_fade_and_everything_is_told(autojump_clock) -> None:
    at = Scene()
    at.did("gossip-rejected", 20)
    at.did("handshake-failed", peer=None)
    assert at.conduct.points(BAD) == 20
    await trio.sleep(30)
    assert at.conduct.points(BAD) == pytest.approx(10)
    assert at.conduct.points(GOOD) == 0
    assert at.told == {("gossip-rejected", BAD): 20, ("handshake-failed", None): 1}


async def test_forty_rejected_messages_silence_a_neighbour_for_a_while(autojump_clock) -> None:
    at = Scene()
    at.did("gossip-rejected", 41)
    assert (at.conduct.listens_to(BAD), at.conduct.listens_to(GOOD), at.conduct.is_banned(BAD)) == (False, True, False)
    await trio.sleep(5)
    assert at.conduct.listens_to(BAD)


@pytest.mark.parametrize(
    "kind", ["gossip-dropped-slow-peer", "unread-bytes-evicted", "handler-failed", "response-unread"]
)
async def test_what_may_happen_to_the_honest_costs_nothing(autojump_clock, kind: str) -> None:
    at = Scene()
    at.did(kind, 1000)
    assert at.conduct.points(BAD) == 0
    assert kind not in POINTS


async def test_a_ban_is_told_once_acted_upon_and_ends(autojump_clock) -> None:
    at = Scene()
    at.did("yamux-violation", 5)
    assert (at.dropped, at.told["banned", BAD], at.conduct.is_banned(BAD)) == ([BAD], 1, True)
    at.time += 600
    await trio.sleep(600)
    assert not at.conduct.is_banned(BAD)
    assert at.conduct.listens_to(BAD)


async def test_a_ban_outlives_a_restart_and_only_the_ban(autojump_clock, tmp_path: Path) -> None:
    before = Scene(tmp_path)
    before.did("yamux-violation", 2)
    before.did("gossip-rejected", 50, GOOD)
    after = Scene(tmp_path)
    assert (after.conduct.is_banned(BAD), after.conduct.is_banned(GOOD)) == (True, False)
    after.time += 601
    assert not after.conduct.is_banned(BAD)


async def test_what_is_kept_is_bounded(autojump_clock, tmp_path: Path) -> None:
    at = Scene(tmp_path, Limits(bans=3, known_peers=5, ban_points=100, graylist_points=40))
    crowd = [PeerKey(bytes([number]) * 32) for number in range(10)]
    for peer in crowd:
        at.time += 1
        at.did("yamux-violation", 2, peer)
    assert [at.conduct.is_banned(peer) for peer in crowd] == [False] * 7 + [True] * 3
    assert len(at.conduct._points) == 5


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"zz": 1}', b'{"00": null}'])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "bans.json").write_bytes(damage)
    with pytest.raises(LocalError, match=r"bans.json is damaged.*delete it"):
        Scene(tmp_path)


async def test_a_clock_that_is_put_back_makes_no_ban_longer(autojump_clock) -> None:
    at = Scene()
    at.time = 10.0**9  # ten years ahead
    at.did("yamux-violation", 2)
    assert at.conduct.is_banned(BAD)
    at.time = 0.0
    assert not at.conduct.is_banned(BAD)
