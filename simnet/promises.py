"""What a signed message binds its signer to: of any place in the protocol it may say one thing only, ever."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from protocols.agreement.certificate import list_digest
from protocols.rounds.dealing import marks
from protocols.types import PeerKey
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import (
    AddressRecord,
    Aggregate,
    Availability,
    Dispute,
    EpochKey,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Manifest,
    Proposal,
    Receipt,
    Release,
    Status,
    Submission,
    Vote,
)

Place = tuple[object, ...]
"""What may be said once: a kind of statement, with all that distinguishes one from the next."""


def promises(signed: Signed) -> list[tuple[Place, bytes]]:
    """The places that a message fills, each with what it says there.

    Raises:
        TypeError: a message of a kind that was not thought of here.
    """
    digest = bytes(signed.digest)
    match signed.message:
        case Submission(manifest=manifest):
            return promises(open_envelope(manifest))
        case Manifest():
            return _manifest(signed, signed.message)
        case Vote(slot=slot, view=view, phase=phase):
            return [(("vote", slot.height, view, phase), digest)]
        case Proposal(view=view, sets=sets):
            return [(("proposal", sets.slot.height, view), digest)]
        case Release(slot=slot, cell=cell):
            return [(("release", slot.height, cell), digest)]
        case HeaderVote(header=header):
            return [(("header", header.slot.height), digest)]
        case Aggregate(slot=slot, cell=cell):
            return [(("aggregate", slot.height, cell), digest)]
        case EpochKey(epoch=epoch, sequence=sequence):
            return [(("epoch key", epoch, sequence), digest)]
        case AddressRecord(sequence=sequence):
            return [(("addresses", sequence), digest)]
        case Dispute(slot=slot, manifest=manifest):
            return [(("dispute", slot.height, open_envelope(manifest).digest), digest)]
        case Availability() | Receipt() | Status():
            return []  # what is held at a time: it may grow, and a crash may take of it
        case ListCertificate() | HeaderCertificate():
            return []  # nobody's own word; see `certified`
    raise TypeError(f"nothing is known of what a {type(signed.message).__name__} promises")


def _manifest(signed: Signed, manifest: Manifest) -> list[tuple[Place, bytes]]:
    """One update a round; and no part of its dealing, which follows from its seed, belongs to another one."""
    seed = [] if manifest.dealing is None else marks(manifest)
    return [
        (("manifest", manifest.slot.height), bytes(signed.digest)),
        *((("of one seed", bytes(mark)), bytes(signed.digest)) for mark in seed),
    ]


def contradictions(said: Iterable[Signed]) -> dict[PeerKey, list[Place]]:
    """By signer, the places of which it said more than one thing."""
    heard: dict[tuple[PeerKey, Place], set[bytes]] = defaultdict(set)
    for signed in said:
        signer = open_envelope(signed.message.manifest) if isinstance(signed.message, Submission) else signed
        for place, saying in promises(signed):
            heard[signer.signer, place].add(saying)
    found: dict[PeerKey, list[Place]] = defaultdict(list)
    for (peer, place), sayings in heard.items():
        if len(sayings) > 1:
            found[peer].append(place)
    return dict(found)


def certified(said: Iterable[Signed]) -> Mapping[int, frozenset[bytes]]:
    """By height, the lists that certificates or headers name: more than one of a height opened two sets, or forgot one.

    Certificates must have been checked: whoever sent one is not asked here.
    """
    lists: dict[int, set[bytes]] = defaultdict(set)
    for signed in said:
        match signed.message:
            case ListCertificate(sets=sets):
                lists[sets.slot.height].add(bytes(list_digest(sets)))
            case HeaderCertificate(header=header) | HeaderVote(header=header):
                lists[header.slot.height].add(bytes(header.sets))
    return {height: frozenset(found) for height, found in lists.items()}
