"""Machines of several peers in memory: what p2pnode's driver does, synchronous and in virtual time.

Effects are performed in order and at once; what was sent arrives in the order in which it was sent, decoded from its
bytes. An actor's `behaviour` stands between its machines and the world: dishonest peers are honest ones that change
some effects. Everything performed is kept, to be asked about.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from p2pnode.team import RoundContext, default_machines
from protocols.effects import (
    Blame,
    Effect,
    Effects,
    Fetch,
    Job,
    Journal,
    Observe,
    Publish,
    Send,
    SetTimer,
    Step,
    Store,
    Tell,
    Train,
)
from protocols.encryption.lanes import lanes_digest
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import Lanes, Scheme, Share
from protocols.encryption.sealing import EpochKeyPair
from protocols.errors import RemoteError
from protocols.events import (
    Event,
    Fetched,
    FetchFailed,
    JobDone,
    JobFailed,
    Received,
    Started,
    Stepped,
    TimerFired,
    Trained,
)
from protocols.machine import Machine
from protocols.params import Params
from protocols.rounds.contribution import Encrypted, encrypt_update
from protocols.rounds.dealing import deal_key, open_share, sealed_digest
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.rounds.release import ReleaseRule
from protocols.types import NO_DIGEST, Digest, Height, PeerKey, Role, Secret
from protocols.updates.chunks import update_root
from protocols.updates.schema import TensorSpec, UpdateSchema
from protocols.verification.proofs import Statements
from protocols.wire import messages
from protocols.wire.envelope import Signed, Signer, open_envelope, signer

T = TypeVar("T")
Behaviour = Callable[[Effect], Iterable[Effect]]

SCHEME: Scheme = OneTimeKeyScheme()
SCHEMA = UpdateSchema((TensorSpec("weights", (6,), step=1.0, tau=1000.0),))
PARAMS = Params(k_min=3, dropouts=1, committee=4, threshold=3)
"""Cells of four, of which one may vanish; a committee of 3 in 4."""


@dataclass(frozen=True)
class Peer:
    """A peer's identity."""

    key: PeerKey
    sign: Signer = field(repr=False)


def a_peer(number: int) -> Peer:
    return Peer(*signer(Secret(number.to_bytes(32, "big"))))


CONTRIBUTORS = [a_peer(number) for number in range(1, 9)]
MEMBERS = [a_peer(number) for number in range(11, 15)]
VALIDATOR = a_peer(21)
STRANGER = a_peer(99)
PEERS = {peer.key: peer for peer in (*CONTRIBUTORS, *MEMBERS, VALIDATOR, STRANGER)}


def a_view(params: Params = PARAMS, epoch: int = 0) -> EpochView:
    """Two cells of four contributors, a committee of four others, one validator."""
    roster = [(peer.key, Role.DATA) for peer in CONTRIBUTORS] + [(peer.key, Role.COMPUTE) for peer in MEMBERS]
    return draw_epoch(31337, 1, epoch, bytes(32), params, [*roster, (VALIDATOR.key, Role.VALIDATOR)])


VIEW = a_view()
COMMITTEE = [PEERS[key] for key in VIEW.committee]
CELLS = [[PEERS[key] for key in cell] for cell in VIEW.cells]
EPOCH_KEYS = {index: EpochKeyPair.generate(Secret(bytes([100 + index]) * 32)) for index in range(1, 5)}
PUBLIC_KEYS = {index: pair.public for index, pair in EPOCH_KEYS.items()}
ROUND = Height(2)


def received(peer: Peer, message: messages.Message) -> Received:
    return Received(peer.sign(message))


def lanes_of(peer: Peer) -> Lanes:
    """The update of a contributor: different for each, known to the test."""
    return np.frombuffer(hashlib.sha256(peer.key).digest()[:6], dtype=np.uint8).astype(np.int64) - 128


def trained(lanes: Lanes) -> Trained:
    return Trained(lanes, lanes_digest(lanes))


@dataclass(frozen=True)
class Submitted:
    """An honest contribution, as its contributor made it."""

    signed: Signed
    encrypted: Encrypted

    @property
    def contribution(self) -> messages.Contribution:
        return messages.Contribution(self.signed.signer, self.signed.digest)

    @property
    def manifest(self) -> messages.Manifest:
        assert isinstance(self.signed.message, messages.Manifest)
        return self.signed.message

    def share(self, member: int) -> Share:
        """What committee member 1..n finds in its sealed share."""
        sealed = self.encrypted.dealt.sealed[member - 1]
        return open_share(VIEW, self.manifest, self.signed.signer, member, EPOCH_KEYS[member], sealed)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        return tuple(blob for _, blob in self.encrypted.chunks)

    def to(self, member: int, by: Peer | None = None) -> Received:
        """What committee member 1..n receives of it; member 0 is an aggregator outside the committee."""
        sealed = self.encrypted.dealt.sealed[member - 1] if member else b""
        message = messages.Submission(VIEW.slot(ROUND), self.signed.encoded, sealed)
        return received(by or PEERS[self.signed.signer], message)


def submit(
    peer: Peer,
    height: Height = ROUND,
    seed: int = 1,
    parent: Digest = NO_DIGEST,
    dealt: int | None = None,
    copying: Submitted | None = None,
) -> Submitted:
    """A whole contribution of a peer in VIEW, outside any machine.

    `dealt` is the seed of another key than its own; `copying` is whose ciphertexts it takes for its own.
    """
    cell = VIEW.cell_of(peer.key)
    assert cell is not None
    secret, other = (Secret(hashlib.sha256(peer.key + bytes([each])).digest()) for each in (seed, dealt or seed))
    made = encrypt_update(SCHEME, VIEW, height, cell, peer.key, lanes_of(peer), secret, PUBLIC_KEYS)
    if dealt is not None or copying is not None:
        chunks = copying.encrypted.chunks if copying else made.chunks
        root = update_root(tuple(root for root, _ in chunks))
        made = Encrypted(chunks, deal_key(SCHEME, VIEW, height, cell, peer.key, root, other, PUBLIC_KEYS))
    return Submitted(peer.sign(manifest_of(cell, made, height, parent)), made)


def manifest_of(cell: int, made: Encrypted, height: Height = ROUND, parent: Digest = NO_DIGEST) -> messages.Manifest:
    roots, shares = tuple(root for root, _ in made.chunks), tuple(map(sealed_digest, made.dealt.sealed))
    return messages.Manifest(VIEW.slot(height), cell, parent, roots, shares, made.dealt.dealing)


def set_of(cell: int, contributions: Iterable[Submitted]) -> messages.CellSet:
    found = sorted((each.contribution for each in contributions), key=lambda each: each.contributor)
    return messages.CellSet(cell, tuple(found))


def of(effects: Iterable[object], kind: type[T]) -> list[T]:
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(effects: Iterable[object], kind: type[T]) -> list[T]:
    """The messages of one kind among the effects that send or publish."""
    return of([effect.signed.message for effect in effects if isinstance(effect, Send | Publish)], kind)


def blamed(effects: Iterable[object]) -> dict[PeerKey, str]:
    """Who is blamed for what."""
    return {blame.culprit: blame.reason for blame in of(effects, Blame)}


def observed(effects: Iterable[object], name: str) -> list[Mapping[str, object]]:
    """The fields of all observations of this name."""
    return [each.fields for each in of(effects, Observe) if each.name == name]


def honest(effect: Effect) -> Effects:
    return [effect]


def offline(_: Effect) -> Effects:
    return []


@dataclass
class Actor:
    """One peer's machines, disk and history."""

    peer: Peer
    machines: list[Machine[Any]]
    behaviour: Behaviour = honest
    journal: list[Journal] = field(default_factory=list)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)


class Playbook:
    """The world of some actors. Time passes only when nothing else is left to do."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.actors = {actor.peer.key: actor for actor in actors}
        self.now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Actor, Machine[Any] | None, Event]] = []
        self._timers: dict[tuple[int, str], int] = {}

    def post(self, actor: Actor, event: Event, machine: Machine[Any] | None = None, at: float | None = None) -> int:
        """An event for one machine of an actor, or for all; returns its number."""
        number = next(self._order)
        heapq.heappush(self._due, (self.now if at is None else at, number, actor, machine, event))
        return number

    def run(self, seconds: float = 200.0) -> Playbook:
        """Starts everybody, and goes on until nothing is due within the time."""
        for actor in self.actors.values():
            self.post(actor, Started())
        return self.resume(seconds)

    def resume(self, seconds: float = 200.0) -> Playbook:
        """Goes on with what is due."""
        while self._due and self._due[0][0] <= seconds:
            self.now, number, actor, machine, event = heapq.heappop(self._due)
            if isinstance(event, TimerFired) and self._timers[id(machine), event.name] != number:
                continue  # set anew meanwhile
            pending = deque([(machine, event)])
            while pending:
                target, each = pending.popleft()
                for receiver in [target] if target is not None else actor.machines:
                    self._handle(actor, receiver, each, pending)
        return self

    def effects(self) -> Effects:
        """Everything that anybody performed."""
        return [effect for actor in self.actors.values() for effect in actor.effects]

    def _handle(self, actor: Actor, machine: Machine[Any], event: Event, pending: deque[Any]) -> None:
        if isinstance(event, Received) and not machine.accepts(type(event.message)):
            return
        for wanted in machine.handle(event, self.now):
            for effect in actor.behaviour(wanted):
                actor.effects.append(effect)
                if isinstance(effect, Tell):
                    pending.append((None, effect.event))
                else:
                    self._perform(actor, machine, effect)

    def _perform(self, actor: Actor, machine: Machine[Any], effect: Effect) -> None:
        match effect:
            case Journal():
                actor.journal.append(effect)
            case Store(blobs=blobs):
                actor.blobs.update(blobs)
            case Send(to=to, signed=signed):
                if to in self.actors:
                    self.post(self.actors[to], Received(open_envelope(signed.encoded)))
            case Publish(signed=signed):
                for each in self.actors.values():
                    self.post(each, Received(open_envelope(signed.encoded)))
            case SetTimer(name=name, at=at):
                self._timers[id(machine), name] = self.post(actor, TimerFired(name), machine, at)
            case Fetch():
                self.post(actor, self._fetch(actor, effect), machine)
            case Job():
                self.post(actor, run_job(effect), machine)
            case Train():
                self.post(actor, trained(lanes_of(actor.peer)), machine)
            case Step():
                self.post(actor, Stepped(stepped(effect)), machine)

    def _fetch(self, actor: Actor, wanted: Fetch) -> Fetched | FetchFailed:
        for holder in (actor.peer.key, *wanted.holders):
            blobs = self.actors[holder].blobs if holder in self.actors else {}
            if all(digest in blobs for digest in wanted.digests):
                return Fetched(wanted, tuple(blobs[digest] for digest in wanted.digests))
        return FetchFailed(wanted)


def run_job(job: Job) -> JobDone | JobFailed:
    """What a worker would answer."""
    try:
        return JobDone(job, job.function(*job.arguments))
    except RemoteError as error:
        return JobFailed(job, error)


def stepped(step: Step) -> Digest:
    """A learner whose parameters are the hash of all that led to them."""
    return Digest(hashlib.sha256(step.parent + step.total).digest())


def round_of(
    peer: Peer,
    journal: Iterable[Journal] = (),
    height: Height = ROUND,
    statements: Statements | None = None,
    view: EpochView = VIEW,
) -> Actor:
    """What an honest peer runs in a round of VIEW, with its journal from before."""
    records, index = tuple(journal), VIEW.member_index(peer.key)
    context = RoundContext(
        view=view,
        statements=statements,
        height=height,
        parent=NO_DIGEST,
        me=peer.key,
        sign=peer.sign,
        scheme=SCHEME,
        schema=SCHEMA,
        keys=lambda: PUBLIC_KEYS,
        epoch_key=EPOCH_KEYS[index] if index else None,
        rule=ReleaseRule(VIEW.params.k_min, records),
        entropy=lambda: hashlib.sha256(b"entropy" + peer.key).digest(),
        journal=records,
        contributes=True,
    )
    return Actor(peer, default_machines(context), journal=list(records))


def whole_round(behaviours: Mapping[PeerKey, Behaviour] | None = None, after: Playbook | None = None) -> Playbook:
    """One round of VIEW by everybody, to its end: some may misbehave, all may come back with their disks of before."""
    before = after.actors if after is not None else {}
    actors = []
    for peer in (*CONTRIBUTORS, *MEMBERS, VALIDATOR):
        actor = round_of(peer, before[peer.key].journal if peer.key in before else ())
        actor.blobs = dict(before[peer.key].blobs) if peer.key in before else {}
        actor.behaviour = (behaviours or {}).get(peer.key, honest)
        actors.append(actor)
    return Playbook(actors).run()
