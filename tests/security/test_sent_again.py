"""An update that goes into two sums, because a round was void behind its certificate: the sums differ by one peer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocols.effects import Job, Journal, Send
from protocols.encryption.scheme import Lanes, PublicContext
from protocols.encryption.sharing import add_shares
from protocols.events import JobDone, Started
from protocols.rounds.aggregate import add, verify_ciphertexts
from protocols.rounds.contribution import SPENT, Contribution
from protocols.rounds.dealing import open_share
from protocols.told import Certified
from protocols.types import NO_DIGEST, Height, Secret
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import CellSet, ListCertificate, MemberSignature, SetList, Submission
from protocols.wire.messages import Contribution as Listed
from tests.protocols.playbook import (
    CELLS,
    EPOCH_KEYS,
    PUBLIC_KEYS,
    ROUND,
    SCHEMA,
    SCHEME,
    VIEW,
    Peer,
    Submitted,
    lanes_of,
    observed,
    of,
    set_of,
    submit,
    trained,
)

VICTIM, *OTHERS = CELLS[0]
NEXT = Height(ROUND + 1)


def opened(made: Sequence[Submitted], height: Height) -> Lanes:
    """What everybody reads once three members have released for this set."""
    total = add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made])
    released = {
        member: add_shares(
            [
                open_share(
                    VIEW, m.manifest, m.signed.signer, member, EPOCH_KEYS[member], m.encrypted.dealt.sealed[member - 1]
                )
                for m in made
            ]
        )
        for member in (1, 2, 3)
    }
    context = PublicContext(VIEW.round_beacon(height), height, 0)
    return SCHEME.open(total.residues, context, released, 3, len(made), SCHEMA.layout).lanes


def test_the_same_updates_without_the_victim_in_the_next_round_show_its_update() -> None:
    """Other seeds, other ciphertexts, fresh keys: nothing of that helps. The victim need only be kept out once."""
    first = [submit(peer) for peer in CELLS[0]]
    second = [submit(peer, NEXT, seed=2) for peer in OTHERS]
    assert (opened(first, ROUND) - opened(second, NEXT) == lanes_of(VICTIM)).all()


def contributor(peer: Peer, height: Height, journal: Sequence[Journal], remembers: bool) -> Contribution:
    """The node of a peer behind a restart, with its disk, or with no memory of what was certified."""
    spent = {record.payload for record in journal if record.kind == SPENT} if remembers else set()
    mine = [record for record in journal if record.height == height]
    entropy = bytes([height]) * 32
    place = (VIEW, height, NO_DIGEST, peer.key, peer.sign, SCHEME, lambda: PUBLIC_KEYS, entropy)
    return Contribution(*place, mine, spent, Secret(peer.key))


def certified_once(peer: Peer) -> list[Journal]:
    """Its journal, after a round in which its update was certified and that came to nothing then."""
    machine = contributor(peer, ROUND, (), True)
    machine.handle(Started(), 0)
    (job,) = of(machine.handle(trained(lanes_of(peer)), 0), Job)
    made = job.function(*job.arguments)
    effects = machine.handle(JobDone(job, made), 0)
    digest = machine._manifest
    assert digest is not None
    listed = set_of(0, [submit(each) for each in CELLS[0] if each != peer])
    mine = Listed(peer.key, digest)
    cell = CellSet(0, tuple(sorted((*listed.contributions, mine), key=lambda each: each.contributor)))
    certificate = ListCertificate(SetList(VIEW.slot(ROUND), (cell,)), 0, (MemberSignature(1, bytes(64)),))
    return [*of(effects, Journal), *of(machine.handle(Certified(certificate), 0), Journal)]


@pytest.mark.parametrize("peer", CELLS[0], ids=lambda peer: peer.key.hex()[:6])
def test_who_remembers_sends_no_update_into_a_second_sum(peer: Peer) -> None:
    journal = certified_once(peer)
    careless, ours = (contributor(peer, NEXT, journal, remembers) for remembers in (False, True))
    for machine in (careless, ours):
        assert not of(machine.handle(Started(), 0), Send)
    assert of(careless.handle(trained(lanes_of(peer)), 0), Job), "without memory it would encrypt it again"
    effects = ours.handle(trained(lanes_of(peer)), 0)
    assert not of(effects, Job)
    assert observed(effects, "sat-out")


def test_in_the_same_round_it_sends_the_same_bytes_which_adds_nothing() -> None:
    journal = certified_once(VICTIM)
    machine = contributor(VICTIM, ROUND, journal, True)
    again = of(machine.handle(Started(), 0), Send)
    assert again
    assert {open_manifest_of(send) for send in again} == {machine._manifest}


def open_manifest_of(send: Send) -> object:
    assert isinstance(send.signed.message, Submission)
    return open_envelope(send.signed.message.manifest).digest
