"""Who may gossip what: the pure check that a message passes before it is forwarded (IGNORE and REJECT as in gossipsub).

Cheapest first: size and shape, then the topic, then the signer's role, then the signature, which the decoder checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.errors import MalformedError, RemoteError
from protocols.rounds.epoch import EpochView
from protocols.types import PeerKey, Verdict
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import (
    GOSSIP_MAX_BYTES,
    Aggregate,
    EpochKey,
    HeaderCertificate,
    ListCertificate,
    Message,
    Status,
    slot_of,
)

SUBNET: Final = "subnet"
PROOF: Final = "proof"
ON_TOPIC: Final[dict[str, tuple[type[Message], ...]]] = {
    SUBNET: (EpochKey, ListCertificate, HeaderCertificate, Status),
    PROOF: (Aggregate,),
}

Views = Callable[[int], EpochView | None]
"""The view of an epoch, if this node knows it."""


def judge(topic: str, origin: PeerKey, payload: bytes, views: Views) -> tuple[Verdict, Signed | None]:
    """The verdict on a gossiped message, and the message where it is accepted.

    - REJECT: not a canonical signed message, or of a type that this topic does not carry.
    - REJECT: signed by another peer than the one that published it.
    - IGNORE: of an epoch that this node does not know (yet, or any more).
    - REJECT: of a known epoch's committee or cells, but its signer has no part in them.
    """
    try:
        signed = open_envelope(payload, GOSSIP_MAX_BYTES)
    except (MalformedError, RemoteError):
        return Verdict.REJECT, None
    if type(signed.message) not in ON_TOPIC[topic] or signed.signer != origin:
        return Verdict.REJECT, None
    view = views(epoch_of(signed.message))
    if view is None:
        return Verdict.IGNORE, signed
    return (Verdict.ACCEPT if _has_part(signed, view) else Verdict.REJECT), signed


def epoch_of(message: Message) -> int:
    """The epoch that a gossiped message belongs to."""
    if isinstance(message, EpochKey):
        return message.epoch
    slot = slot_of(message)
    assert slot is not None, "only messages of an epoch are gossiped"
    return slot.epoch


def _has_part(signed: Signed, view: EpochView) -> bool:
    message, signer = signed.message, signed.signer
    if isinstance(message, Aggregate):
        if message.cell >= len(view.cells) or message.slot.height not in view.heights:
            return False
        return view.cell_of(signer) is not None  # a round's cells, and so who adds, may follow from a newer header
    return signer in view.committee
