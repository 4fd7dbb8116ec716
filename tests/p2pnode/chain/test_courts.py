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
from protocols.effects import Prosecute
from protocols.rounds.epoch import EpochView
from protocols.types import Address, PeerKey, Role, Secret
from protocols.verification.proofs import SumProof
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


def a_round(
    registry: Address, behaviours: dict[PeerKey, Behaviour], mute: frozenset[PeerKey] = frozenset()
) -> Playbook:
    """One round of everybody, each signing with its operator's key but for those who are mute."""
    view: EpochView = dataclasses.replace(VIEW, accounts={peer.key: account(peer) for peer in EVERYBODY})
    actors = []
    for peer in EVERYBODY:
        statements = OperatorStatements(account_of(key_of(peer)), view.chain_id, registry)
        actors.append(round_of(peer, statements=None if peer.key in mute else statements, view=view))
        actors[-1].behaviour = behaviours.get(peer.key, honest)
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
