"""Direct streams and requests at their limits."""

from __future__ import annotations

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of
from p2pnode.transport.limits import Limits
from protocols.errors import LocalError, MalformedError, RemoteError
from protocols.types import PeerKey

SMALL = Limits(
    direct_message_bytes=1000, request_bytes=1000, inbox_messages=4, send_seconds=0.5, sends_waiting_per_peer=2
)


async def echo(_asker: PeerKey, request: bytes) -> bytes:
    return request


async def test_an_oversized_message_is_our_error(world) -> None:
    async with world.nodes(2, SMALL) as (a, b):
        with pytest.raises(LocalError, match="1001 bytes: 1000 are allowed"):
            await a.transport.send(b.transport.peer, bytes(1001))
        with pytest.raises(LocalError, match="1001 bytes: 1000 are allowed"):
            await a.transport.request(b.transport.peer, "echo/1", bytes(1001), max_bytes=1)


async def test_an_oversized_frame_closes_the_stream_and_is_attributed(world) -> None:
    async with world.node("a", limits=SMALL) as a, world.hostile(a.address) as hostile:
        stream = await hostile.new_stream(peer_id_of(a.transport.peer), [TProtocol("/2pm/test/direct/1")])
        await stream.write((5).to_bytes(4, "big") + b"hello" + (1001).to_bytes(4, "big"))
        assert (await a.transport.receive()).payload == b"hello"
        culprit = peer_key_of(hostile.get_id())
        await world.until(lambda: a.reports["frame-refused", culprit] == 1)
        with pytest.raises(StreamError), trio.fail_after(5):
            await stream.read(1)


async def test_a_frame_cut_off_is_attributed(world) -> None:
    async with world.node("a") as a, world.hostile(a.address) as hostile:
        stream = await hostile.new_stream(peer_id_of(a.transport.peer), [TProtocol("/2pm/test/direct/1")])
        await stream.write((5).to_bytes(4, "big") + b"he")
        await stream.close()
        await world.until(lambda: a.reports["frame-refused", peer_key_of(hostile.get_id())] == 1)


async def test_a_receiver_that_does_not_read_holds_its_sender_back(world) -> None:
    limits = Limits(inbox_messages=4, send_seconds=0.5, sends_waiting_per_peer=2)
    async with world.nodes(2, limits) as (a, b):
        await a.transport.dial(b.address)
        sent = await count_sends(a, b.transport.peer)
        assert 4 < sent < 40  # the inbox, two windows and the connection's queue, no more
        received = 0
        with trio.move_on_after(1):
            while received < sent:
                received += len((await b.transport.receive()).payload) == 50_000
        assert received == sent
        await a.transport.send(b.transport.peer, b"on a new stream")


async def count_sends(a, to: PeerKey) -> int:
    """How many messages of 50 kB go out before one is refused."""
    for sent in range(100):
        try:
            await a.transport.send(to, bytes(50_000))
        except Unreachable as error:
            assert "did not take a message within 0.5 s" in str(error)  # noqa: PT017  the count is what matters
            return sent
    return 100


async def test_too_many_waiting_sends_are_refused_at_once(world) -> None:
    limits = Limits(inbox_messages=1, send_seconds=2.0, sends_waiting_per_peer=2)
    async with world.nodes(2, limits) as (a, b):
        await a.transport.dial(b.address)
        refused = []

        async def send() -> None:
            try:
                await a.transport.send(b.transport.peer, bytes(700_000))
            except Unreachable as error:
                refused.append(str(error))

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(send)
            await world.until(lambda: any("2 messages wait for it already" in text for text in refused))
            nursery.cancel_scope.cancel()


async def test_a_cancelled_send_does_not_tear_the_next_one(world) -> None:
    async with world.nodes(2, Limits(inbox_messages=1, inbox_share=1)) as (a, b):
        await a.transport.dial(b.address)
        with trio.move_on_after(0.3) as scope:
            for _ in range(10):
                await a.transport.send(b.transport.peer, bytes(1_000_000))
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.transport.send, b.transport.peer, b"whole")
            with trio.fail_after(5):
                while (payload := (await b.transport.receive()).payload) != b"whole":
                    assert len(payload) == 1_000_000


async def test_requests_are_answered_by_many_at_once(world) -> None:
    async with world.nodes(2) as (a, b):
        b.transport.serve("echo/1", echo)
        a.transport.learn(b.transport.peer, [b.address])
        answers: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            answers[number] = await a.transport.request(
                b.transport.peer, "echo/1", bytes([number]) * 999, max_bytes=999
            )

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(ask, number)
        assert answers == {number: bytes([number]) * 999 for number in range(40)}


async def test_a_response_over_max_bytes_is_refused_and_attributed(world) -> None:
    async with world.nodes(2) as (a, b):
        b.transport.serve("echo/1", echo)
        await a.transport.dial(b.address)
        assert await a.transport.request(b.transport.peer, "echo/1", bytes(10), max_bytes=10) == bytes(10)
        with pytest.raises(MalformedError, match="11 bytes, 10 are allowed") as refusal:
            await a.transport.request(b.transport.peer, "echo/1", bytes(11), max_bytes=10)
        assert refusal.value.culprits == {b.transport.peer}
        assert a.reports["response-refused", b.transport.peer] == 1
        assert await a.transport.request(b.transport.peer, "echo/1", bytes(10), max_bytes=10) == bytes(10)


async def test_a_handler_that_blames_the_asker(world) -> None:
    async def refuse(asker: PeerKey, _request: bytes) -> bytes:
        raise RemoteError("nonsense", [asker])

    async with world.nodes(2) as (a, b):
        b.transport.serve("strict/1", refuse)
        await a.transport.dial(b.address)
        with pytest.raises(Unreachable, match=r"closed the stream of /2pm/test/strict/1 without an answer"):
            await a.transport.request(b.transport.peer, "strict/1", b"?", max_bytes=10)
        assert b.reports["request-refused", a.transport.peer] == 1


async def test_a_silent_handler_times_out_and_the_next_request_works(world) -> None:
    async def slow_once(_asker: PeerKey, request: bytes) -> bytes:
        if request == b"slow":
            await trio.sleep_forever()
        return request

    async with world.nodes(2, Limits(request_seconds=0.3)) as (a, b):
        b.transport.serve("slow/1", slow_once)
        await a.transport.dial(b.address)
        with pytest.raises(Unreachable, match=r"did not answer /2pm/test/slow/1 within 0.3 s"):
            await a.transport.request(b.transport.peer, "slow/1", b"slow", max_bytes=10)
        assert await a.transport.request(b.transport.peer, "slow/1", b"fast", max_bytes=10) == b"fast"


async def test_a_kept_request_stream_survives_the_peers_restart(world) -> None:
    async with world.node("a") as a:
        async with world.node("b") as b:
            b.transport.serve("echo/1", echo)
            await a.transport.dial(b.address)
            assert await a.transport.request(b.transport.peer, "echo/1", b"1", max_bytes=1) == b"1"
            peer, address = b.transport.peer, b.address
        async with world.node("b", listen=address.split("/p2p/")[0]) as b:
            b.transport.serve("echo/1", echo)
            assert await a.transport.request(peer, "echo/1", b"2", max_bytes=1) == b"2"
