from protocols.agreement.certificate import list_digest
from protocols.rounds.release import set_digest
from protocols.updates.chunks import update_root
from protocols.wire.messages import PREVOTE, Proposal, SetList, Vote
from simnet.adversaries.crafted import Crafted
from simnet.adversaries.stage import Conspiracy
from simnet.events import Event
from simnet.witness import Witness, height_of
from tests.protocols.playbook import CELLS, COMMITTEE, PARAMS, PEERS, ROUND, VIEW, lanes_of, set_of, submit

LIAR, HONEST = COMMITTEE[0], COMMITTEE[1]
NAMES = {key: f"peer {number}" for number, key in enumerate(PEERS)}
MADE = submit(CELLS[0][0])


def a_witness() -> Witness:
    return Witness(NAMES, PARAMS, Conspiracy(0, frozenset({LIAR.key})))


def test_what_honest_peers_sign_is_kept_and_everybodys_lists_are_known() -> None:
    seen, sets = a_witness(), SetList(VIEW.slot(ROUND), (set_of(0, [MADE]),))
    for peer in (LIAR, HONEST):
        for message in (Proposal(0, sets, None), Vote(sets.slot, 0, PREVOTE, list_digest(sets), None)):
            seen.message(peer.sign(message).encoded)
            seen.message(peer.sign(message).encoded)
    seen.message(b"junk")
    assert [len(seen.signed[peer.key]) for peer in (LIAR, HONEST)] == [0, 2]
    assert seen.lists == {list_digest(sets): sets}
    assert list(seen.sets) == [set_digest(sets.cells[0])]
    assert height_of(seen.signed[HONEST.key][0]) == ROUND


def test_manifests_lead_to_what_was_encrypted() -> None:
    seen, lanes = a_witness(), lanes_of(CELLS[0][0])
    seen.message(PEERS[MADE.signed.signer].sign(MADE.to(1).message).encoded)
    arguments = (None, VIEW, ROUND, 0, MADE.signed.signer, lanes, _Seed(), {}, None)
    seen.job("somebody", arguments, MADE.encrypted)
    root = update_root(MADE.manifest.chunk_roots)
    assert seen.manifests[MADE.signed.digest] == (MADE.signed.signer, ROUND, 0, root)
    assert (seen.truths[root] == lanes).all()
    assert seen.seeds == {b"seed": [("somebody", ROUND, lanes.tobytes())]}
    seen.job("liar", arguments, Crafted(MADE.encrypted.chunks, MADE.encrypted.dealt, None))
    assert seen.truths[root] is None
    assert len(seen.seeds[b"seed"]) == 1


class _Seed:
    def reveal(self) -> bytes:
        return b"seed"


def test_what_liars_tell_is_not_listened_to() -> None:
    seen = a_witness()
    for name in (NAMES[LIAR.key], NAMES[HONEST.key], "simnet"):
        seen.event(Event(0.0, name, "applied", {}))
    assert [event.node for event in seen.events] == [NAMES[HONEST.key], "simnet"]
