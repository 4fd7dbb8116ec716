import pytest
from trio.testing import MockClock

from p2pnode.errors import Unreachable
from protocols.types import PeerKey
from simnet.events import Event
from simnet.faults import Director, Gate
from simnet.network import VirtualNetwork
from simnet.scenario import Fault

ONE, OTHER = PeerKey(b"1" * 32), PeerKey(b"2" * 32)


def director(*faults: Fault) -> tuple[Director, list[tuple[str, tuple[str, ...]]]]:
    struck: list[tuple[str, tuple[str, ...]]] = []
    names = {"aa": "peer-00", "bb": "peer-01"}
    return Director(faults, names, 5, lambda fault, peers: struck.append((fault.kind, peers))), struck


def event(name: str, **fields: object) -> Event:
    return Event(0.0, "peer-00", name, fields)


def test_faults_strike_once_and_in_their_moment() -> None:
    vanish = Fault(kind="vanish", at_height=1, after="train", peers=(3,))
    silent = Fault(kind="silent", at_height=1, peers=("peer-01",))
    watch, struck = director(vanish, silent)
    watch.hear(event("epoch", epoch=0, committee=[], cells=[]))
    watch.hear(event("phase", height=0, phase="open", seconds=1))
    assert struck == []
    watch.hear(event("applied", height=0))
    assert struck == [("silent", ("peer-01",))]
    watch.hear(event("phase", height=1, phase="train", seconds=1))
    watch.hear(event("phase", height=1, phase="train", seconds=1))
    assert struck == [("silent", ("peer-01",)), ("vanish", ("peer-03",))]


def test_committee_members_are_found_by_their_place() -> None:
    watch, struck = director(Fault(kind="silent", at_height=5, peers=("committee-0", "committee-1")))
    watch.hear(event("epoch", epoch=0, committee=["aa", "bb"], cells=[]))
    watch.hear(event("epoch", epoch=1, committee=["bb", "aa"], cells=[]))
    assert struck == [("silent", ("peer-01", "peer-00"))]


async def test_a_mute_gate_lets_in_but_not_out(autojump_clock: MockClock) -> None:
    network = VirtualNetwork(1)
    gate, other = Gate(network.attach(ONE)), network.attach(OTHER)

    async def answer(asker: PeerKey, payload: bytes) -> bytes:
        return payload

    gate.serve("echo/1", answer)
    other.serve("echo/1", answer)
    assert await gate.request(OTHER, "echo/1", b"hi", max_bytes=9) == b"hi"
    gate.mute = True
    await gate.send(OTHER, b"lost")
    await gate.publish("topic", b"lost")
    for asker, target in [(gate, OTHER), (other, ONE)]:
        with pytest.raises(Unreachable, match="within"):
            await asker.request(target, "echo/1", b"hi", max_bytes=9)
    assert gate.bytes_sent() == 2  # the request from before
