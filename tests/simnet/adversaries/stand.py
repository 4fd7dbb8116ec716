"""One strategy in one round of the playbook's view, on its own."""

from random import Random
from typing import Any

from p2pnode.team import RoundContext
from protocols.rounds.release import ReleaseRule
from protocols.types import NO_DIGEST, PeerKey
from simnet.adversaries.stage import Conspiracy, Scene, Veil
from tests.protocols.playbook import COMMITTEE, EPOCH_KEYS, PUBLIC_KEYS, ROUND, SCHEMA, SCHEME, VIEW, Peer


class NoTransport:
    """Nothing is sent where only effects are looked at."""


def a_scene(me: Peer = COMMITTEE[0], seed: int = 0, accomplices: frozenset[PeerKey] = frozenset()) -> Scene:
    member = VIEW.member_index(me.key)
    context = RoundContext(
        view=VIEW,
        height=ROUND,
        parent=NO_DIGEST,
        me=me.key,
        sign=me.sign,
        scheme=SCHEME,
        schema=SCHEMA,
        keys=lambda: PUBLIC_KEYS,
        epoch_key=EPOCH_KEYS[member] if member else None,
        rule=ReleaseRule(VIEW.params.k_min),
        entropy=lambda: bytes(32),
        journal=(),
        contributes=True,
    )
    transport: Any = NoTransport()
    return Scene(context, Random(seed), Conspiracy(seed, accomplices | {me.key}), Veil(transport))
