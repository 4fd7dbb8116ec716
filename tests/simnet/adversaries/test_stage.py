from collections.abc import Iterable
from typing import Any

import pytest
import trio

from p2pnode.errors import Unreachable
from protocols.effects import Effect, Send
from protocols.errors import MalformedError
from protocols.events import Event, Received, Started
from protocols.rounds.custody import Custody
from protocols.wire.messages import Dispute, Submission, Vote
from simnet.adversaries.stage import Strategy, Twisted, Veil, sends
from simnet.network import VirtualNetwork
from tests.protocols.playbook import CELLS, COMMITTEE, PEERS, VIEW, round_of, submit
from tests.simnet.adversaries.stand import a_scene


def custody() -> Any:
    return next(each for each in round_of(COMMITTEE[0]).machines if isinstance(each, Custody))


def test_without_strategies_a_twisted_machine_is_the_honest_one() -> None:
    twisted, plain, scene = Twisted(custody(), (), a_scene().ring), custody(), a_scene()
    made = submit(CELLS[0][0])
    for event in (Started(), made.to(1)):
        assert twisted.handle(event, 0.0) == plain.handle(event, 0.0)
    assert twisted.accepts(Dispute)
    assert not twisted.accepts(Vote)
    assert not scene.ring.heard


def test_a_strategy_changes_what_goes_in_and_out_and_hears_everything() -> None:
    class Deaf(Strategy):
        def hears(self, machine: object, event: Event) -> Event | None:
            return None if isinstance(event, Received) else event

        def change(self, effect: Effect) -> Iterable[Effect]:
            return []

    scene = a_scene()
    twisted = Twisted(custody(), [Deaf(scene)], scene.ring)
    made = submit(CELLS[0][0])
    assert twisted.handle(Started(), 0.0) == []
    assert twisted.handle(made.to(1), 0.0) == []
    assert [each.message for each in scene.ring.heard] == [made.to(1).message]


def test_effects_that_send_are_told_by_their_message() -> None:
    signed = COMMITTEE[0].sign(submit(CELLS[0][0]).to(1).message)
    assert sends(Send(COMMITTEE[1].key, signed), Submission)
    assert not sends(Send(COMMITTEE[1].key, signed), Vote)


async def test_a_veil_is_late_deaf_to_some_and_damages_what_it_serves(autojump_clock: trio.testing.MockClock) -> None:
    network = VirtualNetwork(0)
    liar, friend, victim, outcast = (peer.key for peer in list(PEERS.values())[:4])
    veil, near, far, out = Veil(network.attach(liar)), *map(network.attach, (friend, victim, outcast))

    async def answer(_: object, request: bytes) -> bytes:
        return request

    veil.serve("echo", answer)
    veil.delay_s, veil.junk, veil.shut = 3.0, frozenset({victim}), frozenset({outcast})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        assert await near.request(liar, "echo", b"ab", max_bytes=9) == b"ab"
        assert await far.request(liar, "echo", b"ab", max_bytes=9) != b"ab"
        with pytest.raises((Unreachable, MalformedError)):
            await out.request(liar, "echo", b"ab", max_bytes=9)
        began = trio.current_time()
        await veil.send(friend, b"late")
        assert (await near.receive()).payload == b"late"
        assert trio.current_time() >= began + 3
        nursery.cancel_scope.cancel()


def test_a_scene_knows_who_is_honest_and_notes_deeds() -> None:
    scene = a_scene(accomplices=frozenset({VIEW.committee[1]}))
    assert scene.honest(VIEW.committee) == list(VIEW.committee[2:])
    scene.did("nothing", b"one", b"two")
    assert [scene.ring.has_done("nothing", VIEW.committee[0], mark) for mark in (b"one", b"two", b"3")] == [1, 1, 0]
    assert len(scene.some(VIEW.committee, 2)) >= 2
