"""The `Chain` port over any EVM chain's JSON-RPC, for one subnet and one operator.

reader = await open_reader(url, registry, subnet_id)  # one for each process: it polls for all
chain = EvmChain(reader, key)                         # one for each operator
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import trio

from contracts.bindings import (
    Checkpoint,
    CheckpointAnchor,
    OperatorRegistry,
    SubnetRegistry,
    Transaction,
    checkpoint_key,
)
from contracts.economy import StakeVault
from contracts.events import SubnetFounded
from contracts.terms import Terms
from p2pnode.chain.courts import Courts
from p2pnode.chain.disputes import Disputes
from p2pnode.chain.grants import Grants
from p2pnode.chain.payouts import Payouts
from p2pnode.chain.provider import HttpxProvider, quantity
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.sender import POLL_S, RefusedError, Sender
from p2pnode.chain.statements import OperatorStatements
from p2pnode.chain.voting import Voting
from p2pnode.chain.wallet import Step, Wallet, shown
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Arena, Block, Chain, Claim, OperatorRecord, ShareClaim, SubnetRecord
from protocols.types import Address, Digest, PeerKey, Role, Secret
from protocols.verification.proofs import Proof, Statements
from protocols.verification.royalties import Grant
from protocols.verification.scores import Share

FAUCET_TIMEOUT_S: Final = 30.0


class EvmChain(Chain):
    """One operator's view of its subnet, and its transactions; implements `p2pnode.ports.Chain`.

    Several may share a reader; two for the same key in one process would only waste nonces.
    """

    def __init__(
        self,
        reader: ChainReader,
        key: Secret,
        court: Address | None = None,
        rewards: Address | None = None,
        disputes: Address | None = None,
        royalties: Address | None = None,
    ) -> None:
        self.reader = reader
        self._key = key
        self._courts = Courts(reader, self._send, court)
        self._sender = Sender(reader.provider, reader.chain_id, key)
        self._payouts = None if rewards is None else Payouts(reader, self._send, self._sender.address, rewards)
        account = self._sender.account
        self._disputes = None if disputes is None else Disputes(reader, self._send, account, disputes)
        self._grants = None if royalties is None else Grants(reader, self._send, self._sender.address, royalties)
        reader.on_reorg.append(self._sender.send_again)
        reader.on_head.append(self._sender.settle)
        self._voting = Voting(reader, self._sender)
        self._bonding = trio.Lock()

    async def aclose(self) -> None:
        """Closes the reader's connections, and so those of everybody who shares it."""
        await self.reader.aclose()

    @property
    def chain_id(self) -> int:
        return self.reader.chain_id

    @property
    def operator(self) -> Address:
        return self._sender.address

    async def head(self) -> Block:
        return await self.reader.head()

    async def block(self, number: int) -> Block:
        return await self.reader.block(number)

    async def subnet(self) -> SubnetRecord:
        return await self.reader.subnet()

    def confirm(self, blocks: int) -> None:
        self._sender.confirmations = blocks

    async def operators(self) -> tuple[OperatorRecord, ...]:
        return await self.reader.operators()

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        return await self.reader.anchors(from_height)

    async def balance(self) -> int:
        """What the operator's account holds, in wei."""
        return quantity(await self.reader.provider.ask("eth_getBalance", f"0x{self.operator.hex()}", "latest"))

    async def register(self, peer: PeerKey, peer_proof: bytes, roles: Role, stake: int) -> None:
        """Joins the subnet; `peer_proof` signs `p2pnode.chain.roles.binding_message`."""
        await self.carry_out([await self.joining(peer, peer_proof, roles, stake)])

    async def joining(self, peer: PeerKey, peer_proof: bytes, roles: Role, stake: int) -> Step:
        """What `register` does."""
        subnet_id = self.reader.subnet_id
        names = ", ".join(role.name.lower() for role in Role if role in roles and role.name)
        words = f"join subnet {subnet_id} as {names} with peer 0x{peer.hex()}"
        words += f", and stake {shown(stake)} coins, which can be slashed" if stake else ""
        registry = OperatorRegistry((await self.subnet()).operators)
        return Step(words, registry.register(subnet_id, peer, peer_proof, int(roles), stake))

    async def leave(self) -> None:
        """Leaves the subnet and asks for the operator's own stake back, which can be slashed until it is paid."""
        await self.carry_out(await self.leaving())

    async def leaving(self) -> list[Step]:
        """What `leave` does.

        Stake that the operator restakes elsewhere is the same stake: who stays in another subnet stakes anew there.
        """
        registry, subnet_id = OperatorRegistry((await self.subnet()).operators), self.reader.subnet_id
        steps = [Step(f"leave subnet {subnet_id} from the next epoch on", registry.deregister(subnet_id))]
        vault = StakeVault(await self.reader.ask(registry.vault()))
        shares, worth = await self.reader.ask(vault.stake_of(self.operator, self.operator))
        if shares:
            words = f"ask {shown(worth)} coins of stake back; they can be slashed until they are due"
            steps.append(Step(words, vault.request_exit(self.operator, shares)))
        return steps

    async def withdraw(self) -> None:
        """Takes all stake that was asked back and has not been paid yet; raises `RefusedError` while some is bound."""
        await self.carry_out(await self.withdrawing())

    async def withdrawing(self) -> list[Step]:
        """What `withdraw` does; nothing if nothing was asked back."""
        vault = StakeVault(await self.reader.ask(OperatorRegistry((await self.subnet()).operators).vault()))
        steps = []
        for epoch in await self.reader.ask(vault.exit_epochs(self.operator, self.operator)):
            worth = await self.reader.ask(vault.exit_of(self.operator, epoch, self.operator))
            if worth:
                claim = vault.claim(self.operator, epoch, self.operator)
                steps.append(Step(f"take {shown(worth)} coins of stake that you asked back", claim))
        return steps

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """Sends the steps, one after the other."""
        for step in steps:
            await self._send(step.transaction)

    @property
    def wallet(self) -> Wallet:
        """The operator's account, for questions of cost."""
        return Wallet(self.reader.provider, self.chain_id, self._key)

    async def anchor(self, height: int, header: Digest, parent: Digest, params: Digest) -> None:
        """Proposes a checkpoint, after putting down the bond; a no-op if the very same one stands, whoever proposed it.

        `parent` is the key of the checkpoint that it builds on.
        """
        checkpoint = Checkpoint(height, header, parent, params)
        subnet_id = self.reader.subnet_id
        if checkpoint_key(subnet_id, checkpoint) in (await self.reader.checkpoints()).records:
            return
        contract = CheckpointAnchor((await self.subnet()).anchor)
        async with self._bonding:
            if not (await self.reader.ask(contract.bond_of(subnet_id, self.operator))).amount:
                bond = contract.bond(subnet_id, await self.reader.ask(contract.bond_wei()))
                try:
                    await self._send(bond)
                except RefusedError as error:  # a reorg took the first one back, and it was sent again
                    if error.name != "AlreadyBonded":
                        raise
        await self._send(contract.propose(subnet_id, checkpoint))

    async def attest(self, record: AnchorRecord, epoch: int) -> None:
        """Votes for a checkpoint and sees to it that it becomes final; see `p2pnode.chain.voting`."""
        if not (await self.reader.checkpoints()).records[record.key].finalised:
            await self._voting.attest(record, epoch)

    @property
    def statements(self) -> Statements:
        """Signs what the operator answers for with its stake."""
        return OperatorStatements(self._sender.account, self.chain_id, self.reader.registry)

    async def prosecute(self, proof: Proof) -> bool:
        """Brings a proof to the court; False if the court knows of the offence already."""
        return await self._courts.prosecute(proof, self.statements)

    async def punish(self, proof: Proof) -> float | None:
        """Has what was proven executed; the seconds until that may be tried again, None once it is done."""
        return await self._courts.punish(proof, self.statements)

    @property
    def arena(self) -> Arena | None:
        """Where disputes are played; None unless this node was told."""
        return self._disputes

    async def voters(self, key: Digest) -> tuple[Address, ...]:
        """The validators whose votes for a checkpoint were counted."""
        return tuple(sorted((await self.reader.checkpoints()).voters[key]))

    async def pots(self) -> Mapping[Share, int] | None:
        """What ever came into the pots; None unless this operator posts the rewards and knows where."""
        return None if self._payouts is None else await self._payouts.pots()

    async def post_rewards(self, totals: Mapping[tuple[Share, Address], int]) -> tuple[Claim, ...]:
        """Posts what everybody has earned in all; see `Payouts.post`."""
        assert self._payouts is not None, "only who saw the pots posts"
        return await self._payouts.post(totals)

    async def shares_left(self) -> int | None:
        """Royalty shares that nobody was granted; None unless this operator posts, and knows where."""
        return None if self._grants is None else await self._grants.left()

    async def grants_posted(self) -> int:
        """How many roots of royalty shares the chain has."""
        assert self._grants is not None, "only who saw the shares asks"
        return await self._grants.count()

    async def post_grants(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        """Posts what the chain has not; see `Grants.post`."""
        assert self._grants is not None, "only who saw the shares posts"
        return await self._grants.post(grants, base)

    async def _send(self, transaction: Transaction) -> None:
        await self._sender.send(transaction)
        self.reader.expire()  # who sent it reads it


async def open_reader(url: str, registry: Address, subnet_id: int, *, chain_id: int | None = None) -> ChainReader:
    """Connects to a chain and reads the subnet.

    Args:
        url: the chain's JSON-RPC.
        registry: the subnet registry's address.
        subnet_id: the subnet's number in it.
        chain_id: if given, the chain must have this one.

    Raises:
        ChainError: no chain answers there, another one does, or it has no such registry or subnet.
    """
    reader = ChainReader(HttpxProvider(url), registry, subnet_id)
    try:
        await reader.connect(chain_id)
    except BaseException:
        await reader.aclose()
        raise
    return reader


async def connect(
    url: str,
    registry: Address,
    subnet_id: int,
    key: Secret,
    *,
    chain_id: int | None = None,
    court: Address | None = None,
    rewards: Address | None = None,
    disputes: Address | None = None,
    royalties: Address | None = None,
) -> EvmChain:
    """An `EvmChain` with a reader of its own; arguments and errors as in `open_reader`."""
    return EvmChain(
        await open_reader(url, registry, subnet_id, chain_id=chain_id), key, court, rewards, disputes, royalties
    )


async def found_subnet(
    url: str, registry: Address, key: Secret, params: bytes, task: bytes, operators: Address, anchor: Address
) -> int:
    """Founds a subnet, closed as yet, where `key` has the DAO's power; returns its id. Raises `ChainError`."""
    async with _sender(url, key) as sender:
        terms = Terms(sender.address, operators, anchor, params, task)
        events = await sender.send(SubnetRegistry(registry).found(terms))
    for found in events:
        if isinstance(found, SubnetFounded):
            return found.subnet_id
    raise ChainError(f"at 0x{registry.hex()} stands no subnet registry: it announced no subnet")


async def open_subnet(url: str, registry: Address, subnet_id: int, key: Secret) -> None:
    """Opens a subnet of our own: its first epoch follows from the block. Raises `ChainError`."""
    async with _sender(url, key) as sender:
        await sender.send(SubnetRegistry(registry).open(subnet_id))


async def request_faucet(url: str, address: Address, amount: int) -> None:
    """Asks a dev chain's faucet for `amount` wei and waits for it.

    Raises:
        ChainError: the chain has no faucet, or the money did not come within 30 s.
    """
    async with _provider(url) as provider:
        who = f"0x{address.hex()}"
        wanted = quantity(await provider.ask("eth_getBalance", who, "latest")) + amount
        await provider.ask("dev_faucet", who, hex(amount))
        with trio.move_on_after(FAUCET_TIMEOUT_S):
            while quantity(await provider.ask("eth_getBalance", who, "latest")) < wanted:
                await trio.sleep(POLL_S)
            return
    raise ChainError(f"the faucet at {url} did not pay {who} within {FAUCET_TIMEOUT_S:.0f} s")


@contextlib.asynccontextmanager
async def _provider(url: str) -> AsyncIterator[HttpxProvider]:
    provider = HttpxProvider(url)
    try:
        yield provider
    finally:
        with trio.CancelScope(shield=True):
            await provider.aclose()


@contextlib.asynccontextmanager
async def _sender(url: str, key: Secret) -> AsyncIterator[Sender]:
    async with _provider(url) as provider:
        yield Sender(provider, quantity(await provider.ask("eth_chainId")), key)
