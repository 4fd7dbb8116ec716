"""The composition root: one peer, from its ports to its machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pnode.chain.roles import binding_message
from p2pnode.data.schema import Examples
from p2pnode.directory import Directory
from p2pnode.disputes import Disputes
from p2pnode.driver import LEDGER, Driver, Team
from p2pnode.duties import Duties
from p2pnode.epoch_watch import EpochWatch
from p2pnode.epochs import Epochs
from p2pnode.errors import ChainError
from p2pnode.heads import Heads
from p2pnode.identity import Identity
from p2pnode.inbound import Inbound
from p2pnode.justice import Justice
from p2pnode.learner import Learner, Model
from p2pnode.learning.task import Task
from p2pnode.neighbours import Neighbours
from p2pnode.paymaster import Paymaster
from p2pnode.ports import Chain, OperatorRecord, Ports, SubnetRecord
from p2pnode.services import INFO, Info
from p2pnode.share_keys import ShareKeys
from p2pnode.supervision import Observer, Supervisor
from p2pnode.team import MachineFactory, RoundContext, default_machines
from p2pnode.verdicts import STEP, SUMS, Verdicts
from protocols.checkpoints.machine import Ledger, certified_headers, genesis, restore, restore_height
from protocols.effects import Adopt, Anchor, Attest, BeginRound, Differ, Finish, Head, Journal, Prosecute, Store
from protocols.encryption.schemes import scheme
from protocols.errors import LocalError, MalformedError
from protocols.events import EpochKnown, Received, Started
from protocols.hashing import tagged
from protocols.params import Params, decode_params
from protocols.presets import require_startable
from protocols.rounds.epoch import EpochView
from protocols.rounds.release import ReleaseRule, WrongShares
from protocols.rounds.seen import SeenDealings
from protocols.rounds.suspects import seats
from protocols.types import Address, Height, PeerKey, Role, Secret
from protocols.verification.contradiction import proofs_in
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import signer
from protocols.wire.messages import NO_SUSPECTS, Header

LINGER_POLL_S: Final = 0.5
JOURNAL_RECORD_MAX_BYTES: Final = 1 << 24
PLACE: Final = "place"
KEEP_ROUNDS: Final = 2
"""Rounds whose machines stay for late validators and republished certificates."""
LINGER_MAX_S: Final = 30.0
NOWHERE: Final = Address(bytes(20))


@dataclass(frozen=True)
class NodeConfig:
    """What distinguishes one node from another.

    Attributes:
        roles: what it registers for.
        stake: in wei.
        name: for logs.
        held_out: judge the model on the task's built-in held-out rows after each round.
        registry: the subnet registry's address, told to strangers who ask for `INFO`.
        bootstrap: multiaddrs to begin with.
        challenge: put down bonds against checkpoints that this validator found to be false.
        keep_peers: keep peers in the node's folder, to come back by without a bootstrap peer.
        linger_s: seconds for which it still serves others after the last round.
        seed: of the model's initialisation; the subnet's, not the node's.
        privacy_budget: epsilon that the data's owner allows at most, if the task allows more; 0 leaves it to the task.
    """

    roles: Role
    stake: int
    name: str = ""
    held_out: bool = False
    registry: Address = NOWHERE
    bootstrap: tuple[str, ...] = ()
    linger_s: float = 5.0
    seed: int = 0
    privacy_budget: float = 0.0
    keep_peers: bool = False
    challenge: bool = False


def protocol_prefix(chain_id: int, subnet: SubnetRecord) -> str:
    """Part of every protocol id and topic: peers of other chains, subnets, parameters or tasks never meet."""
    return tagged("protocol", chain_id, subnet.subnet_id, subnet.params, subnet.task).hex()[:16]


def sign_binding(seed: Secret, chain: Chain, subnet: SubnetRecord, peer: PeerKey) -> bytes:
    """The peer key's signature that it belongs to the chain's operator in this subnet, 64 bytes."""
    message = binding_message(chain.chain_id, subnet.operators, subnet.subnet_id, chain.operator, peer)
    return Ed25519PrivateKey.from_private_bytes(seed.reveal()).sign(message)


class Node:
    """One peer. `run` joins, takes part, and returns when the run is over."""

    def __init__(
        self,
        config: NodeConfig,
        ports: Ports,
        identity: Identity,
        task: Task,
        examples: Examples | None,
        observe: Observer,
        machines: MachineFactory = default_machines,
    ) -> None:
        self._config, self._ports, self._observe, self._machines = config, ports, observe, machines
        self.me, self._sign = signer(identity.peer_seed)
        self._seed = identity.peer_seed
        self._has_data = examples is not None
        self._held_out = task.dataset().held_out if config.held_out else None
        self.learner = Learner(task, config.seed, self.me, examples)
        self._views: dict[int, EpochView] = {}
        self._seated: dict[int, EpochView] = {}
        """The views of the rounds that were begun and are not over, with their cells as they were mixed."""
        self._finished = trio.Event()

    async def run(self) -> str:
        """Joins the subnet, takes part, and returns the final parameters' digest in hex.

        Raises:
            LocalError: the subnet's parameters may not start, or this node's journal or data are unusable.
            ChainError: the chain cannot be used.
            Unreachable: no bootstrap peer answers.
        """
        subnet = await self._ports.chain.subnet()
        self._params: Params = require_startable(decode_params(subnet.params))
        self._subnet = subnet
        self._ports.chain.confirm(self._params.confirmations)
        ciphertexts = self.learner.schema.layout.ciphertexts
        self._scheme = await self._ports.workers.run(scheme, self._params.scheme, ciphertexts)
        async with trio.open_nursery() as nursery:
            self._compose(nursery)
            await self._ports.disk.commit()
            await self._connect()
            await self._register()  # only now: nobody's stake is bound for a mesh that cannot be reached
            for name, task in {
                "driver": self._driver.run,
                "inbound": self._inbound.run,
                "chain": self._watch.run,
                "share-keys": self._keys.run,
                "share-keys of others": self._keys.pull,
                "connections": self._neighbours.stay,
            }.items():
                self._tasks.serve(name, task)
            if (finder := self._ports.finder) is not None:
                self._tasks.serve("discovery", lambda: self._neighbours.listen(finder))
            if (arena := self._ports.chain.arena) is not None:
                self._tasks.serve("disputes", lambda: self._disputes.run(arena))
            self._owe_anchors()
            await self._finished.wait()
            await self._linger()
            nursery.cancel_scope.cancel()
        self._keys.erase()
        self._driver.erase()
        return self._ledger.head.params.hex()

    def _compose(self, nursery: trio.Nursery) -> None:
        ports, params = self._ports, self._params
        self._tasks = Supervisor(nursery, ports.clock, self._observe)
        self._driver = Driver(ports, self._sign, self.learner, self._observe, self._tasks, self)
        records = self._records()
        self._bind(records)
        head = restore(records, genesis(self.learner.model.digest))
        self._resume(head)
        self._certified = certified_headers(records)
        self._driver.restore(records, head.next_height)
        self._rule = ReleaseRule(params.k_min, records)
        self._wrong = WrongShares()
        self._seen = SeenDealings(records)
        self._ledger = Ledger(params, self.me, self.learner.schema.limbs, head, restore_height(records))
        ledger = Team(LEDGER, [self._ledger])
        self._driver.start(ledger, Started())
        self._watch = EpochWatch(
            Epochs(ports.chain, self._subnet, params), ports.clock, self._observe, self._begin_epoch
        )
        self._duties = Duties(ports.chain, ports.clock, self._observe, params)
        self._justice = Justice(ports.chain, ports.clock, self._observe, turn=self.me[0])
        self._verdicts = Verdicts(records)
        self._disputes = Disputes(
            ports.chain,
            ports.clock,
            ports.transport,
            self._observe,
            self._duties,
            self._verdicts,
            params,
            self._keep,
            self.prosecute,
            records,
            judges=Role.VALIDATOR in self._config.roles,
            challenges=self._config.challenge,
            turn=self.me[0],
        )
        chunks = self.learner.schema.layout.ciphertexts
        self._paymaster = Paymaster(ports.chain, ports.clock, self._observe, ports.folder, chunks)
        self._offences = list(proofs_in(records))
        self._directory = Directory(ports.transport, self._sign, int(ports.clock.now() * 1000))
        self._neighbours = Neighbours(
            ports, self._directory, self._tasks, self._config.bootstrap, keep=self._config.keep_peers
        )
        self._heads = Heads(
            ports.transport, self._sign, self._ledger, lambda signed: self._driver.post(ledger, Received(signed))
        )
        self._keys = ShareKeys(ports, self.me, self._sign, params, self._driver, records, self._views)
        self._inbound = Inbound(ports, self._driver, self._keys, self._views, self._ledger, params, self._observe)
        ports.transport.serve(INFO, self._serve_info)

    def _owe_anchors(self) -> None:
        """After a crash of many at once, nobody else may remember what was certified but not anchored, or proven."""
        for header in self._certified:
            self._duties.remember(header)
        anchored = [header for header in self._certified if self._params.anchored(header.slot.height)]
        if anchored and self._config.roles & Role.COMPUTE:
            delay_s = self.me[0] % 16  # one is enough: the others find it done
            self.anchor(Anchor(anchored[-1], delay_s))
        for proof in self._offences:
            self.prosecute(Prosecute(proof))

    def _bind(self, records: tuple[Journal, ...]) -> None:
        """A folder belongs to one subnet: what it did there must not be taken for what it does elsewhere."""
        subnet = self._subnet
        place = tagged("place", self._ports.chain.chain_id, subnet.operators, subnet.anchor, subnet.subnet_id)
        bound = next((record.payload for record in records if record.kind == PLACE), None)
        if bound is None:
            self._driver.write(Journal(PLACE, Height(0), b"", place))
        elif bound != place:
            raise LocalError(
                f"{self._ports.folder} holds the journal of another subnet; "
                "choose another folder (and other keys: a peer answers for one subnet)"
            )

    def _records(self) -> tuple[Journal, ...]:
        try:
            return tuple(decode(record, Journal, JOURNAL_RECORD_MAX_BYTES) for record in self._ports.disk.records())
        except MalformedError as error:
            raise LocalError(
                f"the journal in {self._ports.folder} was written by another version of p2pnode ({error}): use that one"
            ) from error

    def _resume(self, head: Head) -> None:
        """Loads the model that the journal ends with."""
        if head.certificate is None:
            return
        blob = self._ports.disk.get(head.params)
        if blob is None:
            raise LocalError(
                f"the journal ends with the model {head.params.hex()[:8]}, but its bytes are gone from "
                f"{self._ports.folder / 'blobs'}: bring them back from a backup, or start over with `p2pnode init` in "
                "a new folder, as a new operator"
            )
        self.learner.adopt(head, blob)
        self._observe("resumed", {"height": head.next_height, "params_digest": head.params.hex()})

    async def _register(self) -> None:
        chain, subnet = self._ports.chain, self._subnet
        standing = [record for record in await chain.operators() if record.address == chain.operator]
        if standing and not standing[-1].left_block:
            self._check_standing(standing[-1])
            return
        proof = sign_binding(self._seed, chain, subnet, self.me)
        await chain.register(self.me, proof, self._config.roles, self._config.stake)
        self._observe("registered", {"roles": _names(self._config.roles), "stake_wei": self._config.stake})

    def _check_standing(self, record: OperatorRecord) -> None:
        """A node that plays other parts than the chain says would be waited for, or wait, in vain."""
        operator = f"operator 0x{record.address.hex()}"
        if record.peer != self.me:
            raise ChainError(
                f"{operator} is registered with another peer ({record.peer.hex()[:8]}): use that node's keys, or "
                "`p2pnode operator leave` first"
            )
        if record.roles != self._config.roles:
            raise ChainError(
                f"{operator} is registered for {_names(record.roles)}, not for {_names(self._config.roles)}: start it "
                "with those roles, use another folder for another node, or `p2pnode operator leave` first"
            )

    async def _connect(self) -> None:
        """Comes into the mesh, and joins the topics."""
        await self._inbound.subscribe()
        operators = await self._ports.chain.operators()
        self._directory.vouch(record.peer for record in operators if not record.left_block)
        await self._neighbours.join()
        self._observe("joined", {"peer": self.me.hex(), "roles": int(self._config.roles)})

    # ------------------------------------------------------------------------------- what only the ledger asks for

    def need_epoch(self, epoch: int) -> None:
        """See `LedgerHands`."""
        if epoch in self._views:
            self._begin_epoch(self._views[epoch])
        else:
            self._watch.want(epoch)

    def begin_round(self, effect: BeginRound) -> None:
        """Builds the round's machines and gives them what arrived early."""
        height, certificate = effect.height, effect.head.certificate
        suspects = certificate.header.suspects if certificate is not None else NO_SUSPECTS
        epoch = self._views[self._params.epoch(height)]
        view = self._seated[height] = seats(epoch, height, suspects)
        context = RoundContext(
            view,
            height,
            effect.head.header,
            self.me,
            self._sign,
            self._scheme,
            self.learner.schema,
            lambda: self._keys.public(view.epoch),
            self._keys.own(view.epoch),
            self._rule,
            self._ports.entropy,
            tuple(self._driver.journal.get(height, ())),
            self._may_contribute(height),
            self._driver.spent,
            Secret(tagged("spent-key", self._seed.reveal())),
            self._seen,
            wrong=self._wrong,
            model=effect.head.params,
            suspects=suspects,
            statements=self._ports.chain.statements,
            announce=height > effect.head.next_height,
        )
        self._close_epochs(view)
        team = Team(height, self._machines(context))
        mixed = {} if view is epoch else {"cells": [[peer.hex() for peer in cell] for cell in view.cells]}
        self._observe("round", {"height": height, "epoch": view.epoch, **mixed})
        self._driver.start(team, Started())
        self._inbound.begun(team)
        self._forget(height - KEEP_ROUNDS, effect.head)

    def _may_contribute(self, height: Height) -> bool:
        """Whether this node has data, and privacy left to spend on it: of a budget, every update that it made is spent.

        A node without a part in the sums goes on with everything else.
        """
        privacy, spent = self.learner.schema.privacy, self._driver.contributed - {height}
        if not self._has_data or privacy is None:
            return self._has_data
        budget = min(each for each in (privacy.budget, self._config.privacy_budget, inf) if each)
        if len(spent) < privacy.rounds_within(budget if isfinite(budget) else 0):
            return True
        cost = privacy.epsilon_micro(len(spent)) / 1e6
        reason = (
            f"privacy budget: {len(spent)} updates have cost epsilon {cost:.3f} of {budget:g} (delta "
            f"{privacy.delta:g}); one more would exceed it, so this node trains no more, and serves on"
        )
        self._observe("sat-out", {"height": height, "reason": reason})
        return False

    def adopt(self, effect: Adopt) -> None:
        """Moves the learner, keeps and serves its model, and judges it where this node has held-out rows."""
        head = effect.head
        blob = self.learner.adopt(head, effect.model)
        if head.certificate is not None:
            self._duties.remember(head.certificate.header)
            if effect.model is None:  # taken by our own outer step
                self._note(head.certificate.header, STEP, right=True)
            self._account_for(head.certificate.header)
        self._driver.store(head.next_height - 1, Store(((head.params, blob),), durable=True))
        self._observe("bytes", {"sent": self._ports.transport.bytes_sent(), "by_kind": dict(self._driver.sent)})
        if self._held_out is not None:
            model = self.learner.model
            self._tasks.guard("metrics", lambda: self._judge(head.next_height - 1, model))

    def _account_for(self, header: Header) -> None:
        """Notes who worked; an epoch's books are closed with its last round."""
        height = header.slot.height
        view = self._seated.pop(height, None)
        if view is not None:
            self._paymaster.note(view, self._driver.lists.get(height), header)
        if height + 1 in (self._params.final_height, (header.slot.epoch + 1) * self._params.rounds_per_epoch):
            self._tasks.guard("rewards", lambda: self._paymaster.close(header.slot.epoch))

    def ask_heads(self) -> None:
        """Asks a few connected peers for their newest header."""
        self._tasks.guard("heads", self._heads.ask)

    def finish(self, effect: Finish) -> None:
        """The run is over."""
        self._observe("finished", {"height": effect.head.next_height - 1, "params_digest": effect.head.params.hex()})
        self._finished.set()

    def anchor(self, effect: Anchor) -> None:
        """Anchors in the background."""
        self._tasks.guard("anchor", lambda: self._duties.anchor(effect))

    def differ(self, effect: Differ) -> None:
        """Remembers what was found; whoever is to judge it in a dispute will be asked."""
        self._note(effect.header, effect.part, right=False)

    def _note(self, header: Header, part: str, *, right: bool) -> None:
        record = self._verdicts.note(header, part, right=right)
        if record is not None and self._ports.chain.arena is not None:
            self._driver.write(record)

    async def _keep(self, records: Sequence[Journal]) -> None:
        for record in records:
            self._driver.write(record)
        await self._ports.disk.commit()

    def attest(self, effect: Attest) -> None:
        """Attests in the background."""
        self._note(effect.header, SUMS, right=True)
        self._tasks.guard("attest", lambda: self._duties.attest(effect.header))

    def prosecute(self, effect: Prosecute) -> None:
        """Brings a proof to the court in the background."""
        self._tasks.guard("prosecute", lambda: self._justice.prosecute(effect.proof))

    # ------------------------------------------------------------------------------------------------------- tasks

    def _begin_epoch(self, view: EpochView) -> None:
        if view.epoch < self._params.epoch(self._ledger.height):
            return  # it was wanted before a newer header brought us past it
        if view.epoch not in self._views:
            self._views[view.epoch] = view
            fields: Mapping[str, object] = {
                "epoch": view.epoch,
                "cells": [[peer.hex() for peer in cell] for cell in view.cells],
                "committee": [peer.hex() for peer in view.committee],
            }
            self._observe("epoch", fields)
            self._keys.open(view)
            self._tasks.guard("directory", lambda: self._settle_in(view))
        self._driver.post(self._driver.teams[LEDGER], EpochKnown(view))
        final = self._params.final_height
        if view.epoch + 1 not in self._views and (not final or view.epoch < self._params.epoch(final - 1)):
            self._watch.want(view.epoch + 1)

    def _close_epochs(self, view: EpochView) -> None:
        """What earlier epochs left unfinished is void: the keys and shares with which it could be opened are erased."""
        self._keys.erase(before=view.epoch)
        self._driver.erase(below=view.heights[0])
        self._seen.forget(below=view.heights[0])

    async def _settle_in(self, view: EpochView) -> None:
        """Finds with whom this node will have to do, and the topics it needs; those who check meet the members."""
        await self._inbound.follow_proofs()
        self._directory.vouch(view.participants | view.validators)
        await self._neighbours.find(view.partners(self.me))
        if self.me in view.committee or self.me in view.validators:
            await self._directory.meet(view.committee)

    def _forget(self, below: int, head: Head) -> None:
        """Rounds below this height are over for everybody: their public keys and blobs go, but for the head's model."""
        epoch = self._params.epoch(max(0, below))
        self._keys.forget(before=epoch)
        if past := [each for each in self._views if each < epoch]:
            for old in past:
                del self._views[old]
            self._tasks.guard("topics", self._inbound.follow_proofs)
        self._seated = {height: view for height, view in self._seated.items() if height >= below}
        self._driver.drop(below, keep=head.params)

    async def _judge(self, height: int, model: Model) -> None:
        assert self._held_out is not None
        metrics = await self._ports.workers.run(self.learner.metrics, model, self._held_out)
        self._observe("metrics", {"height": height, **metrics})

    async def _linger(self) -> None:
        """Serves those who are a step behind, and sees this node's duties through."""
        clock = self._ports.clock
        deadline = clock.now() + LINGER_MAX_S
        await clock.sleep_until(clock.now() + self._config.linger_s)
        while (self._duties.open or self._justice.reporting) and clock.now() < deadline:
            await clock.sleep_until(clock.now() + LINGER_POLL_S)

    async def _serve_info(self, _: PeerKey, __: bytes) -> bytes:
        return encode(Info(self._ports.chain.chain_id, self._config.registry, self._subnet.subnet_id))


def _names(roles: Role) -> str:
    return ", ".join(role.name.lower() for role in Role if role in roles and role.name)
