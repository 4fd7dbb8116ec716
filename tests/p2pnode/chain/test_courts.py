"""A wrong aggregate in a whole round of all machines, its proof by a validator, and the court of a real chain."""

from __future__ import annotations

import dataclasses

import pytest

from contracts.anvil import Anvil, anvil
from contracts.deploy import Deployment, deploy
from contracts.deploy_terms import Economics
from contracts.economy import StakeVault
from p2pnode.chain.client import EvmChain, found_subnet, open_reader, open_subnet
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.roles import account_of
from p2pnode.chain.statements import OperatorStatements
from p2pnode.errors import ChainError, NoCourtError
from protocols.effects import Effect, Prosecute, Publish, Send
from protocols.rounds.epoch import EpochView
from protocols.types import Address, Digest, PeerKey, Role, Secret
from protocols.updates.chunks import update_root
from protocols.verification.contradiction import proofs_in
from protocols.verification.proofs import Contradiction, SumProof, SumStatement
from protocols.wire.messages import Aggregate
from tests.protocols.playbook import (
    CONTRIBUTORS,
    MEMBERS,
    ROUND,
    VALIDATOR,
    VIEW,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    honest,
    observed,
    of,
    round_of,
    sent,
)
from tests.protocols.rounds.test_whole_round import AGGREGATORS, adds_wrongly

FOUNDER, STAKE = Secret(b"\x05" * 32), 10**18
LIAR = AGGREGATORS[0][0]
EVERYBODY = (*CONTRIBUTORS, *MEMBERS, VALIDATOR)


def key_of(peer: Peer) -> Secret:
    return Secret(peer.key)


def account(peer: Peer) -> Address:
    return operator_address(key_of(peer))


class Remembers(OperatorStatements):
    """Keeps what it signed."""

    def __init__(self, peer: Peer, registry: Address) -> None:
        super().__init__(account_of(key_of(peer)), VIEW.chain_id, registry)
        self.signed: list[SumStatement] = []

    def sign_sum(self, stated: SumStatement) -> bytes:
        self.signed.append(stated)
        return super().sign_sum(stated)


def announces_twice(peer: Peer, mine: Remembers) -> Behaviour:
    """An aggregator that announces its sum, and another one after it; its operator signs for both."""

    def behaviour(effect: Effect) -> list[Effect]:
        if not isinstance(effect, Send | Publish) or not isinstance(effect.signed.message, Aggregate):
            return [effect]
        roots = tuple(Digest(bytes(reversed(root))) for root in effect.signed.message.chunk_roots)
        stated = dataclasses.replace(mine.signed[0], sum_root=update_root(roots))
        other = dataclasses.replace(effect.signed.message, chunk_roots=roots, statement=mine.sign_sum(stated))
        return [effect, dataclasses.replace(effect, signed=peer.sign(other))]

    return behaviour


def a_round(
    registry: Address,
    behaviours: dict[PeerKey, Behaviour],
    mute: frozenset[PeerKey] = frozenset(),
    twice: Peer | None = None,
) -> Playbook:
    """One round of everybody, each signing with its operator's key but for those who are mute."""
    view: EpochView = dataclasses.replace(VIEW, accounts={peer.key: account(peer) for peer in EVERYBODY})
    actors = []
    for peer in EVERYBODY:
        statements = OperatorStatements(account_of(key_of(peer)), view.chain_id, registry)
        actors.append(round_of(peer, statements=None if peer.key in mute else statements, view=view))
        actors[-1].behaviour = behaviours.get(peer.key, honest)
        if peer is twice:
            mine = Remembers(peer, registry)
            actors[-1] = round_of(peer, statements=mine, view=view)
            actors[-1].behaviour = announces_twice(peer, mine)
    return Playbook(actors).run()


def test_every_aggregate_is_answered_for_and_one_that_is_not_is_refused() -> None:
    honest_round = a_round(Address(b"r" * 20), {})
    assert all(len(each.statement) == 64 for each in sent(honest_round.effects(), Aggregate))
    assert all(each["ok"] for each in observed(honest_round.effects(), "verdict"))
    assert blamed(honest_round.effects()) == {}
    play = a_round(Address(b"r" * 20), {}, frozenset({LIAR.key}))
    said = blamed(play.actors[VALIDATOR.key].effects)
    assert said == {LIAR.key: "wrong sum of cell 0: its operator does not answer for it"}
    assert of(play.effects(), Prosecute) == []


async def on_chain(chain: Anvil, made: Deployment) -> tuple[ChainReader, EvmChain]:
    """Subnet 1 with the liar's operator in it, and the validator's view of the chain."""
    number = await found_subnet(chain.url, made.subnets, FOUNDER, b"p", b"t", made.operators, made.anchor)
    assert number == VIEW.subnet
    await open_subnet(chain.url, made.subnets, number, FOUNDER)
    reader = await open_reader(chain.url, made.subnets, number)
    await EvmChain(reader, key_of(LIAR)).register(LIAR.key, bytes(64), Role.COMPUTE, STAKE)
    return reader, EvmChain(reader, key_of(VALIDATOR), made.court)


async def test_a_wrong_aggregate_costs_its_operator_half_its_stake(tmp_path) -> None:
    with anvil() as chain:
        for key in (key_of(LIAR), key_of(VALIDATOR), FOUNDER):
            chain.fund(operator_address(key), 100 * STAKE)
        made = deploy(chain.url, FOUNDER.reveal(), tmp_path / "deployment.json", Economics())
        reader, validator = await on_chain(chain, made)
        play = a_round(made.subnets, {LIAR.key: adds_wrongly})
        (brought,) = of(play.actors[VALIDATOR.key].effects, Prosecute)
        proof = brought.proof
        assert isinstance(proof, SumProof)
        assert proof.culprit == LIAR.key
        with pytest.raises(ChainError, match="the court does not know of it"):
            await validator.punish(proof)
        assert await validator.prosecute(proof) is True
        assert await validator.prosecute(proof) is False, "the court knows: nothing more is sent"
        left = await validator.punish(proof)
        assert left is not None
        assert left > 0
        chain.travel(int(left))
        reader.expire()
        assert await validator.punish(proof) is None
        assert await validator.punish(proof) is None
        staked = await reader.ask(StakeVault(made.vault).staked(account(LIAR)))
        assert staked == STAKE - STAKE // 2
        await refusals(reader, validator, proof)
        await reader.aclose()


def test_who_announces_twice_contradicts_itself_and_who_repeats_itself_does_not() -> None:
    registry = Address(b"r" * 20)
    play = a_round(registry, {}, twice=LIAR)
    for peer in (*CONTRIBUTORS, *MEMBERS):
        assert of(play.actors[peer.key].effects, Prosecute) == [], "only validators have the manifests"
    effects = play.actors[VALIDATOR.key].effects
    (brought,) = of(effects, Prosecute)
    assert isinstance(brought.proof, Contradiction)
    assert brought.proof.operator == account(LIAR)
    assert observed(effects, "contradiction")[0]["culprit"] == account(LIAR).hex()
    assert list(proofs_in(play.actors[VALIDATOR.key].journal)) == [brought.proof], "a restart brings it again"

    def repeats(effect: Effect) -> list[Effect]:
        return [effect, effect] if isinstance(effect, Send | Publish) else [effect]

    honest_round = a_round(registry, {peer.key: repeats for peer in EVERYBODY})
    assert of(honest_round.effects(), Prosecute) == []


async def test_a_contradiction_costs_its_operator_half_its_stake(tmp_path) -> None:
    with anvil() as chain:
        for key in (key_of(LIAR), key_of(VALIDATOR), FOUNDER):
            chain.fund(operator_address(key), 100 * STAKE)
        made = deploy(chain.url, FOUNDER.reveal(), tmp_path / "deployment.json", Economics())
        reader, validator = await on_chain(chain, made)
        play = a_round(made.subnets, {}, twice=LIAR)
        (brought,) = of(play.actors[VALIDATOR.key].effects, Prosecute)
        proof = brought.proof
        assert isinstance(proof, Contradiction)
        framed = dataclasses.replace(proof, operator=account(VALIDATOR))
        once = dataclasses.replace(proof, second=proof.first, second_signature=proof.first_signature)
        with pytest.raises(ChainError, match="one operator has to have signed both"):
            await validator.prosecute(framed)
        with pytest.raises(ChainError, match="the contract refused"):
            await validator.prosecute(once)
        assert await validator.prosecute(proof) is True
        assert await validator.prosecute(proof) is False, "the court knows: nothing more is sent"
        left = await validator.punish(proof)
        assert left is not None
        chain.travel(int(left))
        reader.expire()
        assert await validator.punish(proof) is None
        staked = await reader.ask(StakeVault(made.vault).staked(account(LIAR)))
        assert staked == STAKE - STAKE // 2
        await reader.aclose()


async def refusals(reader: ChainReader, validator: EvmChain, proof: SumProof) -> None:
    """What the court does not take."""
    honest = dataclasses.replace(proof.result, residues=bytes(512))
    elsewhere = dataclasses.replace(proof.stated, height=ROUND + 1)
    with pytest.raises(ChainError, match="no court: name the deployment file"):
        await EvmChain(reader, key_of(VALIDATOR)).prosecute(proof)
    with pytest.raises(NoCourtError):
        await EvmChain(reader, key_of(VALIDATOR)).punish(proof)
    with pytest.raises(ChainError, match="nobody signed"):
        await validator.prosecute(dataclasses.replace(proof, signature=b"\xff" * 64))
    with pytest.raises(ChainError, match="the contract refused"):
        await validator.prosecute(dataclasses.replace(proof, stated=elsewhere, result=honest))
