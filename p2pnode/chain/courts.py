"""Proofs on their way to the court, and from there to the slash. Every step first looks whether it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import astuple
from typing import Final

from contracts.bindings import Transaction
from contracts.justice import (
    Court,
    Leaf,
    Offence,
    Position,
    SlashingManager,
    Sum,
    equivocation_offence,
    wrong_sum_offence,
)
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.sender import RefusedError
from p2pnode.errors import ChainError, NoCourtError
from protocols.types import Address
from protocols.verification.proofs import Contradiction, Proof, ProvenLeaf, Statements

NOBODY: Final = bytes(20)


class Courts:
    """The one court of a subnet's contracts, if this node knows where it stands."""

    def __init__(
        self, reader: ChainReader, send: Callable[[Transaction], Awaitable[None]], court: Address | None
    ) -> None:
        self._reader, self._send, self._court = reader, send, court

    async def prosecute(self, proof: Proof, statements: Statements) -> bool:
        """Reports what a proof shows; False if somebody has.

        Raises:
            NoCourtError: this node knows of no court.
            ChainError: the court refuses, in its words, or the chain does not answer.
        """
        known = await self._known(proof, statements)
        if known.operator != NOBODY:
            return False
        await self._send(_transaction(self._where(), proof))
        return True

    async def punish(self, proof: Proof, statements: Statements) -> float | None:
        """Executes the sentence; the seconds until it may be tried again, None once it is settled.

        Raises:
            ChainError: nothing was reported, or the chain does not answer.
        """
        known = await self._known(proof, statements)
        if known.operator == NOBODY:
            raise ChainError("the court does not know of it")
        if known.vetoed:
            return None
        manager = await self._manager()
        sentence = await self._reader.ask(manager.sentence_of(known.source, known.operator, known.epoch))
        if sentence.executed:
            return None
        epoch_s, veto_s = [await self._reader.ask(each) for each in (manager.epoch_seconds(), manager.veto_seconds())]
        left = (known.epoch + 1) * epoch_s + veto_s - (await self._reader.head()).timestamp
        if left > 0:
            return float(left)
        try:
            await self._send(manager.execute(known.source, known.operator, known.epoch))
        except RefusedError as error:
            if error.name != "AlreadyExecuted":
                raise
        return None

    async def _known(self, proof: Proof, statements: Statements) -> Offence:
        offence = _offence(proof, statements)
        return await self._reader.ask((await self._manager()).offence_of(offence))

    async def _manager(self) -> SlashingManager:
        return SlashingManager(await self._reader.ask(Court(self._where()).slashing()))

    def _where(self) -> Address:
        if self._court is None:
            raise NoCourtError("this node knows of no court: name the deployment file of the contracts (`deployment`)")
        return self._court


def _offence(proof: Proof, statements: Statements) -> bytes:
    """Its name at the slashing manager; raises `ChainError` if the proof is against nobody."""
    if isinstance(proof, Contradiction):
        one, other = proof.first, proof.second
        signers = [
            statements.signer_of(one, proof.first_signature),
            statements.signer_of(other, proof.second_signature),
        ]
        if signers != [proof.operator] * 2:
            raise ChainError("one operator has to have signed both of what contradicts itself")
        return equivocation_offence(one.subnet, proof.operator, one.kind, one.height, one.place)
    stated = proof.stated
    operator = statements.signer_of_sum(stated, proof.signature)
    if operator is None:
        raise ChainError("nobody signed what the proof is against")
    return wrong_sum_offence(stated.subnet, operator, stated.height, stated.cell)


def _transaction(court: Address, proof: Proof) -> Transaction:
    if isinstance(proof, Contradiction):
        one, other = astuple(proof.first), astuple(proof.second)
        return Court(court).equivocation(one, proof.first_signature, other, proof.second_signature)
    said = proof.stated
    stated = Sum(said.subnet, said.epoch, said.height, said.cell, said.chunks, said.roots, said.summed, said.sum_root)
    position = Position(proof.chunk, proof.prime, proof.index, proof.summed_at)
    leaves = [_leaf(each) for each in proof.contributions]
    return Court(court).wrong_sum(stated, proof.signature, position, leaves, _leaf(proof.result))


def _leaf(proven: ProvenLeaf) -> Leaf:
    return Leaf(proven.residues, proven.path)
