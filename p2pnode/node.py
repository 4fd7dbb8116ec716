"""The composition root: one peer, from its ports to its machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pnode.chain.roles import binding_message
from p2pnode.data.schema import Examples
from p2pnode.directory import Directory
from p2pnode.driver import LEDGER, Driver, Observer, Team
from p2pnode.duties import Duties
from p2pnode.epochs import Epochs
from p2pnode.errors import ChainError, Unreachable
from p2pnode.identity import Identity
from p2pnode.inbound import Inbound
from p2pnode.learner import Learner
from p2pnode.learning.task import Task
from p2pnode.ports import Chain, Ports, SubnetRecord
from p2pnode.services import HEAD, INFO, RESPONSE_MAX_BYTES, HeadResponse, Info
from p2pnode.share_keys import ShareKeys
from p2pnode.team import MachineFactory, RoundContext, default_machines
from protocols.checkpoints.machine import Ledger, genesis, restore
from protocols.effects import Adopt, Anchor, Attest, BeginRound, Finish, Journal, Store
from protocols.encryption.schemes import scheme
from protocols.errors import LocalError, RemoteError
from protocols.events import EpochKnown, Received, Started
from protocols.hashing import tagged
from protocols.params import Params, decode_params, require_startable
from protocols.rounds.epoch import EpochView
from protocols.rounds.release import ReleaseRule
from protocols.types import Address, PeerKey, Role, Secret
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import open_envelope, signer
from protocols.wire.messages import HeaderCertificate

CHAIN_POLL_S: Final = 0.5
ASK_HEADS: Final = 3
KEEP_ROUNDS: Final = 2
"""Rounds whose machines stay for late validators and republished certificates."""
LINGER_MAX_S: Final = 60.0
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
        linger_s: seconds for which it still serves others after the last round.
        seed: of the model's initialisation; the subnet's, not the node's.
    """

    roles: Role
    stake: int
    name: str = ""
    held_out: bool = False
    registry: Address = NOWHERE
    bootstrap: tuple[str, ...] = ()
    linger_s: float = 5.0
    seed: int = 0


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
        self._wanted_epochs: set[int] = set()
        self._finished = trio.Event()

    async def run(self) -> str:
        """Joins the subnet, takes part, and returns the final parameters' digest in hex.

        Raises:
            LocalError: the subnet's parameters may not start, or its journal or data are unusable.
            ChainError: the chain cannot be used.
        """
        subnet = await self._ports.chain.subnet()
        self._params: Params = require_startable(decode_params(subnet.params))
        self._subnet = subnet
        await self._register()
        async with trio.open_nursery() as nursery:
            self._compose(nursery)
            await self._connect()
            for name, task in {
                "driver": self._driver.run,
                "inbound": self._inbound.run,
                "chain": self._watch_chain,
                "share-keys": self._keys.run,
            }.items():
                self._driver.guard(name, None, task)
            self._driver.start(Team(LEDGER, [self._ledger]), Started())
            await self._finished.wait()
            await self._linger()
            nursery.cancel_scope.cancel()
        return self._ledger.head.params.hex()

    def _compose(self, nursery: trio.Nursery) -> None:
        ports, params = self._ports, self._params
        self._scheme = scheme(params.scheme)
        self._driver = Driver(ports, self._sign, self.learner, self._observe, nursery, self)
        records = tuple(decode(record, Journal, 1 << 24) for record in ports.disk.records())
        head = restore(records, genesis(self.learner.model.digest))
        self._resume(head.params, records)
        self._driver.restore(tuple(record for record in records if record.height >= head.next_height))
        self._rule = ReleaseRule(params.k_min, records)
        self._ledger = Ledger(params, self.me, self.learner.schema.limbs, head)
        self._epochs = Epochs(ports.chain, self._subnet, params)
        self._duties = Duties(ports.chain, ports.clock, self._observe)
        self._directory = Directory(ports.transport, self._sign, int(ports.clock.now() * 1000))
        self._keys = ShareKeys(ports, self.me, self._sign, params, self._driver, records, self._views)
        self._inbound = Inbound(ports, self._driver, self._keys, self._views, self._ledger, params, self._observe)
        ports.transport.serve(INFO, self._serve_info)
        ports.transport.serve(HEAD, self._serve_head)

    def _resume(self, params_digest: bytes, records: tuple[Journal, ...]) -> None:
        """Loads the model that the journal ends with."""
        head = restore(records, genesis(self.learner.model.digest))
        if head.certificate is None:
            return
        blob = self._ports.disk.get(head.params)
        if blob is None:
            raise LocalError(
                f"the journal ends with the model {params_digest.hex()[:8]}, but its bytes are gone from "
                f"{self._ports.folder}; start with an empty folder (keep the keys) and the node will catch up"
            )
        self.learner.adopt(head, blob)
        self._observe("resumed", {"height": head.next_height, "params_digest": head.params.hex()})

    async def _register(self) -> None:
        chain, subnet = self._ports.chain, self._subnet
        for record in await chain.operators():
            if record.address == chain.operator and record.left_block == 0:
                if record.peer != self.me:
                    raise ChainError(
                        f"operator {chain.operator.hex()} is registered with another peer ({record.peer.hex()[:8]}); "
                        "use that node's keys, or leave the subnet first"
                    )
                return
        proof = sign_binding(self._seed, chain, subnet, self.me)
        await chain.register(self.me, proof, self._config.roles, self._config.stake)

    async def _connect(self) -> None:
        """Meets the bootstrap peers, learns where others are, joins the topics."""
        await self._inbound.subscribe()
        errors = []
        for address in self._config.bootstrap:
            try:
                await self._directory.ask(await self._ports.transport.dial(address))
            except (Unreachable, RemoteError) as error:
                errors.append(str(error))
        if errors and len(errors) == len(self._config.bootstrap):
            raise Unreachable("no bootstrap peer answers: " + "; ".join(errors))
        await self._directory.mesh()
        self._observe("joined", {"peer": self.me.hex(), "roles": int(self._config.roles)})

    # ------------------------------------------------------------------------------- what only the ledger asks for

    def need_epoch(self, epoch: int) -> None:
        """See `LedgerHands`."""
        self._wanted_epochs.add(epoch)

    def begin_round(self, effect: BeginRound) -> None:
        """Builds the round's machines and gives them what arrived early."""
        height, view = effect.height, self._views[self._params.epoch(effect.height)]
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
            self._has_data,
        )
        team = Team(height, self._machines(context))
        self._observe("round", {"height": height, "epoch": view.epoch})
        self._driver.start(team, Started())
        self._driver.drop(height - KEEP_ROUNDS, keep=effect.head.params)
        self._keys.erase(before=self._params.epoch(max(0, height - KEEP_ROUNDS)))
        self._inbound.begun(team)

    def adopt(self, effect: Adopt) -> None:
        """Moves the learner, keeps and serves its model, and judges it where this node has held-out rows."""
        head = effect.head
        model = self.learner.adopt(head, effect.model)
        self._driver.store(head.next_height - 1, Store(((head.params, model),), durable=True))
        self._observe("bytes", {"sent": self._ports.transport.bytes_sent(), "by_kind": dict(self._driver.sent)})
        if self._held_out is not None:
            self._driver.guard("metrics", None, lambda: self._judge(head.next_height - 1))

    def ask_heads(self) -> None:
        """Asks a few connected peers for their newest header."""
        self._driver.guard("heads", None, self._ask_heads)

    def finish(self, effect: Finish) -> None:
        """The run is over."""
        self._observe("finished", {"height": effect.head.next_height - 1, "params_digest": effect.head.params.hex()})
        self._finished.set()

    def anchor(self, effect: Anchor) -> None:
        """Anchors in the background."""
        self._driver.guard("anchor", None, lambda: self._duties.anchor(effect))

    def attest(self, effect: Attest) -> None:
        """Attests in the background."""
        self._driver.guard("attest", None, lambda: self._duties.attest(effect.header))

    # ------------------------------------------------------------------------------------------------------- tasks

    async def _watch_chain(self) -> None:
        """Settles the epochs that the ledger waits for, and the one after, before its border."""
        while True:
            for epoch in sorted(self._wanted_epochs):
                try:
                    view = await self._epochs.view(epoch)
                except LocalError as error:
                    self._observe("epoch-failed", {"epoch": epoch, "reason": str(error)})
                    view = None
                except ChainError as error:
                    self._observe("chain-failed", {"reason": str(error)})
                    view = None
                if view is not None:
                    self._wanted_epochs.discard(epoch)
                    await self._begin_epoch(view)
            await self._ports.clock.sleep_until(self._ports.clock.now() + CHAIN_POLL_S)

    async def _begin_epoch(self, view: EpochView) -> None:
        self._views[view.epoch] = view
        for old in [epoch for epoch in self._views if epoch < view.epoch - 2]:
            del self._views[old]
        participants = {*view.committee, *(peer for cell in view.cells for peer in cell)}
        fields: Mapping[str, object] = {
            "epoch": view.epoch,
            "cells": [[peer.hex() for peer in cell] for cell in view.cells],
            "committee": [peer.hex() for peer in view.committee],
        }
        self._observe("epoch", fields)
        self._keys.open(view)
        self._driver.post(self._driver.teams[LEDGER], EpochKnown(view))
        last = self._params.final_height and self._params.epoch(self._params.final_height - 1)
        if not last or view.epoch < last:
            self._wanted_epochs.add(view.epoch + 1)
        self._driver.guard("directory", None, lambda: self._directory.find(participants))

    async def _ask_heads(self) -> None:
        peers = sorted(self._ports.transport.connected(), key=lambda peer: tagged("ask", self.me, peer))
        for peer in peers[:ASK_HEADS]:
            try:
                answer = await self._ports.transport.request(peer, HEAD, b"", max_bytes=RESPONSE_MAX_BYTES)
                certificate = decode(answer, HeadResponse, RESPONSE_MAX_BYTES).certificate
                if certificate:
                    signed = open_envelope(certificate)
                    if isinstance(signed.message, HeaderCertificate):
                        self._driver.post(self._driver.teams[LEDGER], Received(signed))
            except (Unreachable, RemoteError):
                continue  # the next one may answer

    async def _judge(self, height: int) -> None:
        assert self._held_out is not None
        metrics = await self._ports.workers.run(self.learner.metrics, self._held_out)
        self._observe("metrics", {"height": height, **metrics})

    async def _linger(self) -> None:
        """Serves those who are a step behind, and sees this node's duties through."""
        clock = self._ports.clock
        deadline = clock.now() + LINGER_MAX_S
        await clock.sleep_until(clock.now() + self._config.linger_s)
        while self._duties.open and clock.now() < deadline:
            await clock.sleep_until(clock.now() + CHAIN_POLL_S)

    async def _serve_info(self, _: PeerKey, __: bytes) -> bytes:
        return encode(Info(self._ports.chain.chain_id, self._config.registry, self._subnet.subnet_id))

    async def _serve_head(self, _: PeerKey, __: bytes) -> bytes:
        certificate = self._ledger.head.certificate
        return encode(HeadResponse(b"" if certificate is None else self._sign(certificate).encoded))
