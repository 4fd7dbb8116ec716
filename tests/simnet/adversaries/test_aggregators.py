from typing import Any

from protocols.effects import Job, Publish, Send
from protocols.events import JobDone
from protocols.rounds.aggregate import seal_sum, verify_ciphertexts
from protocols.rounds.aggregation import Aggregation
from protocols.types import NO_DIGEST
from protocols.wire.messages import Aggregate, Availability
from simnet.adversaries import aggregators
from tests.protocols.playbook import CELLS, PEERS, ROUND, SCHEME, VIEW, round_of, sent, submit
from tests.simnet.adversaries.stand import a_scene

FIRST, SECOND = (PEERS[key] for key in VIEW.aggregators(ROUND, 0, 0))
MACHINE = next(each for each in round_of(FIRST).machines if isinstance(each, Aggregation))
MADE = submit(CELLS[0][0])
TOTAL = verify_ciphertexts(SCHEME, MADE.blobs, MADE.manifest.chunk_roots).residues
SEALED = JobDone(Job("seal", seal_sum, (SCHEME, TOTAL), subject=0), seal_sum(SCHEME, TOTAL))


def test_a_wrong_sum_only_beside_an_honest_aggregator() -> None:
    scene = a_scene(FIRST)
    wrong: Any = aggregators.WrongSum(scene).hears(MACHINE, SEALED)
    assert wrong.result.roots != SEALED.result.roots
    assert [deed[0] for deed in scene.ring.deeds] == ["wrong-sum"]
    beside = a_scene(FIRST, accomplices=frozenset({SECOND.key}))
    assert aggregators.WrongSum(beside).hears(MACHINE, SEALED) is SEALED


def test_two_sums_differ_between_members() -> None:
    signed = FIRST.sign(Aggregate(VIEW.slot(ROUND), 0, NO_DIGEST, (0,), (NO_DIGEST,)))
    made = aggregators.TwoSums(a_scene(FIRST, seed=2))
    effects = [each for to in VIEW.committee for each in made.change(Send(to, signed))]
    effects += list(made.change(Publish("proof", signed)))
    assert len({each.chunk_roots for each in sent(effects, Aggregate)}) == 2
    assert [list(aggregators.NoSums(a_scene(FIRST)).change(each)) for each in effects] == [[]] * len(effects)


def test_victims_are_not_heard_and_everything_is_vouched_for() -> None:
    refuser, voucher = aggregators.RefuseVictim(a_scene(FIRST)), aggregators.VouchForAll(a_scene(FIRST))
    every = [submit(peer) for cell in CELLS for peer in cell]
    assert [refuser.hears(MACHINE, each.to(0)) for each in every].count(None) == 2
    for each in every:
        assert voucher.hears(MACHINE, each.to(0)) is not None
    said = FIRST.sign(Availability(VIEW.slot(ROUND), 0, ()))
    (lie,) = sent(voucher.change(Send(VIEW.committee[0], said)), Availability)
    assert len(set(lie.manifests) & {each.signed.digest for each in every}) >= 7
