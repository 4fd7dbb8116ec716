"""A js-libp2p peer, written from protocols/README.md alone, among nodes of this implementation.

What it can do stands in peer/: strict MessagePack, Ed25519 envelopes, the draws of an epoch, Merkle roots of chunks,
their sums modulo each prime. Nothing of this implementation is in it.
"""

from __future__ import annotations

import hashlib

from p2pnode.services import PIECE, PieceRequest
from protocols.effects import Fetch
from protocols.types import PeerKey
from protocols.updates.chunks import verify_chunks
from protocols.updates.gossip import PROOF, SUBNET
from protocols.updates.pieces import PIECE_BYTES, blob_digest
from protocols.wire import messages as wire
from protocols.wire.codec import decode
from protocols.wire.envelope import open_envelope
from tests.interop.javascript import run_peer
from tests.interop.scene import (
    CHAIN_ID,
    HEIGHT,
    JS,
    KEYS,
    PREFIX,
    REGISTRY,
    SCHEME,
    SEEDS,
    SUBNET_ID,
    VIEW,
    Host,
    Round,
    hosts,
    until,
    what_the_chain_says,
)

FIRST_MEMBER = next(name for name, (key, _) in KEYS.items() if key == VIEW.committee[0])
A = KEYS["a"][0]


LARGE = hashlib.shake_256(b"large").digest(3 * PIECE_BYTES + 17)


async def lies(_: PeerKey, request: bytes) -> bytes:
    asked = decode(request, PieceRequest, 64)
    return bytes(len(LARGE[asked.index * PIECE_BYTES :][:PIECE_BYTES]))


def in_mesh(host: Host) -> bool:
    return any(
        JS.hex() in peer.to_bytes().hex() for peer in host.transport.gossip.router.mesh[f"/2pm/{PREFIX}/{PROOF}"]
    )


async def test_a_peer_in_javascript_takes_part() -> None:
    """Joins, recomputes announced sums, fetches and serves by digest; is believed, and pays for what it forges."""
    known = Round()
    for number, name in enumerate("abc"):
        known.contribute(name, number)
    async with hosts(FIRST_MEMBER, "a", blobs=known.blobs) as (member, friend), run_peer() as js:
        member_key = member.transport.peer

        # it joins: draws the prefix and the epoch itself, asks who is there, comes into the mesh
        started = await js.ask(
            "start",
            seed=SEEDS["js"].reveal().hex(),
            chain=what_the_chain_says(),
            bootstrap=member.transport.addresses[0],
        )
        assert started == {"peer": JS.hex(), "prefix": PREFIX, "info": [CHAIN_ID, REGISTRY.hex(), SUBNET_ID]}
        assert await js.ask("join") == {"known": sorted([member_key.hex(), A.hex()])}
        await until(lambda: in_mesh(member) and in_mesh(friend))

        # it receives the certified list and two aggregates, and recomputes both from the contributions
        right = known.aggregate()
        wrong = wire.Aggregate(*right.__getstate__()[:4], right.chunk_roots[::-1])
        await member.publish(SUBNET, known.certificate())
        await js.until("count", {"count": 1}, tag=9)
        await friend.publish(PROOF, right)
        await friend.publish(PROOF, wrong)
        await js.until("count", {"count": 2}, tag=10)
        verdicts = (await js.ask("verify", height=HEIGHT))["verdicts"]
        assert verdicts == [{"signer": A.hex(), "right": True}, {"signer": A.hex(), "right": False}]

        # it fetches a chunk by its digest
        digest = open_manifest(known).chunk_roots[1]
        packed = known.blobs[digest]
        fetched = await js.ask("fetch", digest=digest.hex(), chunk=1)
        assert fetched == {"bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}

        # it fetches a larger blob in pieces, from two peers of which one lies
        for host in (member, friend):
            host.hold(LARGE)
        friend.transport.serve(PIECE, lies)
        whole = await js.ask("pieces", digest=blob_digest(LARGE).hex())
        expected = {"bytes": len(LARGE), "sha256": hashlib.sha256(LARGE).hexdigest(), "holders": 2}
        assert whole == expected | {"liars": [A.hex()]}

        # it adds the cell itself; its announcement is accepted, forwarded and true, and what it serves is the sum
        announced = await js.ask("aggregate", height=HEIGHT, cell=0, member=member_key.hex())
        await until(
            lambda: friend.heard_from(JS, PROOF) and member.heard_from(JS, PROOF) and member.heard_from(JS, None)
        )
        for signed in (*friend.heard_from(JS, PROOF), *member.heard_from(JS, None)):
            assert signed.encoded.hex() == announced["envelope"]
            assert signed.message == known.aggregate()
        sums = await friend.exchange.fetch(Fetch("sum", None, right.chunk_roots, (JS,), 1 << 18))
        assert sums is not None
        assert (verify_chunks(sums, right.chunk_roots, SCHEME) == known.total).all()
        assert member.transport.conduct.points(JS) == friend.transport.conduct.points(JS) == 0

        # what it forges reaches nobody's node, and costs it points
        for forgery in ("signature", "cell"):
            await js.ask("aggregate", height=HEIGHT, cell=0, spoil=forgery)
        await until(lambda: all(host.reports["gossip-rejected", JS] == 2 for host in (member, friend)))
        assert all(host.transport.conduct.points(JS) > 1.9 for host in (member, friend))
        assert len(friend.heard_from(JS, PROOF)) == len(member.heard_from(JS, PROOF)) == 1
        await js.ask("stop")


def open_manifest(known: Round) -> wire.Manifest:
    message = open_envelope(known.blobs[known.contributions[0].manifest]).message
    assert isinstance(message, wire.Manifest)
    return message
