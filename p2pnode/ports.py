"""The seams between the node and the world. simnet's virtual world replaces exactly these; nothing else does I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from protocols.types import Address, Digest, PeerKey, Role, Verdict
from protocols.updates.pieces import PieceTable
from protocols.verification.game import Game, Move
from protocols.verification.proofs import Proof, Stated, Statements
from protocols.verification.royalties import Grant
from protocols.verification.scores import Share

T = TypeVar("T")


class Clock(Protocol):
    """Seconds since the Unix epoch, real or virtual."""

    def now(self) -> float: ...

    async def sleep_until(self, when: float) -> None: ...


Entropy = Callable[[], bytes]
"""32 fresh secret bytes a call: `secrets.token_bytes` in a node, a seeded stream in the virtual world."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from outside, not yet decoded. `sender` is authenticated by the transport.

    Attributes:
        topic: the gossip topic, or None for a message on a direct stream.
        sender: who sent it to us (direct) or who signed the gossip message (its origin, not the forwarder).
    """

    sender: PeerKey
    payload: bytes
    topic: str | None


GossipValidator = Callable[[PeerKey, bytes], Verdict]
"""(origin, payload) -> verdict; pure, cheap, called before a message is forwarded."""

RequestHandler = Callable[[PeerKey, bytes], Awaitable[bytes]]
"""(who asks, request) -> response. Raising RemoteError blames the asker and closes the stream."""


class Transport(Protocol):
    """What the node needs of a network: direct messages, gossip, request/response.

    Errors: `send` and `request` raise `p2pnode.errors.Unreachable` when the peer cannot be reached within the limits.
    """

    @property
    def peer(self) -> PeerKey: ...

    @property
    def addresses(self) -> tuple[str, ...]:
        """Our own multiaddrs with /p2p/ suffix, ready to be dialled."""
        ...

    async def send(self, to: PeerKey, payload: bytes) -> None:
        """One message on the direct stream to `to` (ordered, at most `limits.direct_message_bytes`)."""
        ...

    async def request(self, to: PeerKey, protocol: str, payload: bytes, *, max_bytes: int) -> bytes:
        """One request and its response on a stream of its own protocol, e.g. "blob/1" or "info/1"."""
        ...

    def serve(self, protocol: str, handler: RequestHandler) -> None:
        """Answers requests of `protocol`."""
        ...

    async def subscribe(self, topic: str, validator: GossipValidator) -> None: ...

    async def unsubscribe(self, topic: str) -> None:
        """Follows a topic no more; a no-op if it was not followed. Publishing to it works all the same."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None: ...

    async def receive(self) -> Incoming:
        """The next message, direct or gossiped; waits for one. The queue is bounded (back-pressure)."""
        ...

    async def dial(self, multiaddr: str) -> PeerKey:
        """Connects to an address with /p2p/ suffix; raises `Unreachable` with the reason."""
        ...

    def learn(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        """Remembers where a peer can be dialled, so that `send` and `request` reach it."""
        ...

    def dialable(self, addresses: Sequence[str], told_by: PeerKey) -> tuple[str, ...]:
        """Those of the addresses that may be dialled when this (connected) peer tells them."""
        ...

    def connected(self) -> frozenset[PeerKey]: ...

    def blame(self, peer: PeerKey, kind: str) -> None:
        """A peer did what no honest one does: it counts against it, until it is heard no more."""
        ...

    def bytes_sent(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as the node needs it. `timestamp` in Unix seconds."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    """One registered operator. Active at block b iff joined_block <= b and (left_block == 0 or left_block > b).

    Attributes:
        stake: in wei.
        peer_proof: the peer key's Ed25519 signature that it belongs to this operator; whoever reads it must verify it.
    """

    address: Address
    peer: PeerKey
    peer_proof: bytes
    roles: Role
    stake: int
    joined_block: int
    left_block: int


@dataclass(frozen=True, slots=True)
class SubnetRecord:
    """A subnet as the chain names it.

    Attributes:
        params: canonical encoding of `protocols.params.Params`.
        task: canonical encoding of the task's name, digest and options (p2pnode/learning/task.py).
        opened_block: the block in which its founder opened it, 0 while it is closed; epoch 0 follows from it.
    """

    subnet_id: int
    founder: Address
    params: bytes
    task: bytes
    opened_block: int
    operators: Address
    anchor: Address


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """A checkpoint that was proposed on the chain.

    Attributes:
        key: names it; two that differ in anything have two keys.
        height: the round that it closes.
        header_digest: its header.
        parent_key: the checkpoint that it builds on; zero for a first one.
        params_digest: the model's parameters.
        proposer: who proposed it first.
        block_number: where it was proposed.
        quorum_block: where two thirds of the validators' stake had attested it; 0: they have not.
        finalised: whether it is final.
    """

    key: Digest
    height: int
    header_digest: Digest
    parent_key: Digest
    params_digest: Digest
    proposer: Address
    block_number: int
    quorum_block: int
    finalised: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """How an account claims what it has earned in all for one kind of work.

    Attributes:
        pot: "verifier", "compute" or "data".
        cumulative: in the token's smallest unit.
        index: of the posted root.
        proof: the siblings up to it, 32 bytes each.
    """

    account: Address
    pot: str
    cumulative: int
    index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShareClaim:
    """How an account claims royalty shares that it was granted, once.

    Attributes:
        shares: in their smallest unit.
        index: of the root that grants them.
        proof: the siblings up to it, 32 bytes each.
    """

    account: Address
    shares: int
    index: int
    proof: tuple[bytes, ...]


class Arena(Protocol):
    """Where disputes about a subnet's checkpoints are played, for one operator. Errors as `Chain`'s."""

    async def games(self) -> tuple[Game, ...]:
        """This subnet's games that have not paid yet."""
        ...

    async def disputable(self) -> tuple[AnchorRecord, ...]:
        """The checkpoints on which a vote is under way, and which may still be challenged; not those that we have."""
        ...

    def ends(self, record: AnchorRecord, params: Digest) -> tuple[Digest, Digest]:
        """The states with which a checkpoint's computation begins, and with which it ends if it leads to `params`."""
        ...

    async def challenge(self, record: AnchorRecord) -> None:
        """Puts down the bond and says that a checkpoint is false."""
        ...

    async def play(self, game: Game, move: Move, record: AnchorRecord) -> None:
        """Makes a move; that somebody was faster is as good. `Prove` is not played, but see `prove`."""
        ...

    async def withdraw(self) -> None:
        """Takes what paid games owe this operator, if anything."""
        ...

    def state(self, game: Game, epoch: int, result: Digest) -> tuple[Stated, bytes]:
        """What this operator states of the last step, and its signature."""
        ...

    def stated(self, game: Game, epoch: int, result: Digest) -> Stated:
        """What an operator states that says this of the last step."""
        ...

    async def validators(self, key: Digest) -> tuple[Address, ...]:
        """Who decides a game about a checkpoint: those by whom the vote on it is weighed."""
        ...

    async def prove(self, game: Game, epoch: int, result: Digest, signatures: Mapping[Address, bytes]) -> bool:
        """Ends a game by what two thirds of the validators state; False while these are too few."""
        ...


class Chain(Protocol):
    """The EVM chain, bound to one subnet and (where it sends) to one operator's key.

    Errors: `p2pnode.errors.ChainError` with words for people (a revert decoded, a dead URL, a wrong chain).
    """

    @property
    def chain_id(self) -> int: ...

    @property
    def operator(self) -> Address: ...

    async def head(self) -> Block: ...

    async def block(self, number: int) -> Block: ...

    async def subnet(self) -> SubnetRecord: ...

    def confirm(self, blocks: int) -> None:
        """From now on a transaction of ours counts once so many blocks stand above its own."""
        ...

    async def operators(self) -> tuple[OperatorRecord, ...]: ...

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]: ...

    async def register(self, peer: PeerKey, peer_proof: bytes, roles: Role, stake: int) -> None: ...

    async def leave(self) -> None: ...

    async def anchor(self, height: int, header: Digest, parent: Digest, params: Digest) -> None:
        """Proposes a checkpoint; a no-op if the very same one stands already. `parent` is a checkpoint's key."""
        ...

    async def attest(self, record: AnchorRecord, epoch: int) -> None:
        """Votes for a checkpoint of an epoch, and sees to it that it becomes final if others do, too."""
        ...

    @property
    def statements(self) -> Statements | None:
        """Signs what the operator answers for with its stake; None where nobody has one."""
        ...

    async def prosecute(self, proof: Proof) -> bool:
        """Brings a proof to the court; False if the court knows of the offence already.

        Raises `p2pnode.errors.NoCourtError` if this node knows of none.
        """
        ...

    async def punish(self, proof: Proof) -> float | None:
        """Has executed what the court knows; the seconds until that may be tried again, None once it is settled."""
        ...

    @property
    def arena(self) -> Arena | None:
        """Where disputes are played; None if this node does not know."""
        ...

    async def voters(self, key: Digest) -> tuple[Address, ...]:
        """The validators whose votes for a checkpoint were counted."""
        ...

    async def pots(self) -> Mapping[Share, int] | None:
        """What ever came into the pots of rewards; None unless it is this operator who posts the subnet's rewards."""
        ...

    async def post_rewards(self, totals: Mapping[tuple[Share, Address], int]) -> tuple[Claim, ...]:
        """Posts what everybody has earned in all, unless just that is posted; returns how each claims it."""
        ...

    async def shares_left(self) -> int | None:
        """Royalty shares that nobody was granted; None unless it is this operator who posts, and there are some."""
        ...

    async def grants_posted(self) -> int:
        """How many roots of royalty shares the chain has."""
        ...

    async def post_grants(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        """Posts the grants that the chain has not, of which the first is root `base`; how each share is claimed."""
        ...


class IncomingBlob(Protocol):
    """A blob that is still coming, in pieces of its table (`protocols.updates.pieces`); what came outlives a crash."""

    @property
    def resumed(self) -> bool:
        """Whether an earlier try has left something."""
        ...

    def accept(self, at: int, piece: bytes, expected: Digest) -> bool:
        """Keeps a piece if it is the one with this SHA-256."""
        ...

    def read(self, at: int, count: int) -> bytes: ...

    def finish(self, table: PieceTable) -> None:
        """All pieces of the table were accepted: the blob is whole, and one of the disk's from now on."""
        ...

    def close(self) -> None:
        """No more of it comes for now; what has come stays."""
        ...


class Disk(Protocol):
    """Durable state of one node."""

    def append(self, record: bytes) -> None:
        """A record for the journal, durable with the next `commit`."""
        ...

    async def commit(self) -> None:
        """Makes durable what was appended, and before it what was put so; raises `LocalError` if the disk refuses.

        Nothing that rests on a record may leave the node before.
        """
        ...

    def records(self) -> tuple[bytes, ...]:
        """All journal records in order; raises `LocalError` naming file and offset if the journal is corrupted."""
        ...

    def put(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:
        """Keeps blobs; what only this node has is made durable by the next `commit`, what others have need not be."""
        ...

    def get(self, digest: Digest) -> bytes | None: ...

    def size(self, digest: Digest) -> int | None:
        """Of a blob that is here, in bytes."""
        ...

    def read(self, digest: Digest, at: int, count: int) -> bytes:
        """Part of a blob that is here, as the disk gives it: not checked, unlike `get`."""
        ...

    def table(self, digest: Digest) -> PieceTable | None:
        """The pieces of a blob that is here and named by them, if the disk remembers them."""
        ...

    def incoming(self, digest: Digest, size: int) -> IncomingBlob:
        """Room for a blob that comes in pieces, with what an earlier try has left; raises `LocalError` without room."""
        ...

    def drop(self, digest: Digest) -> None: ...

    def digests(self) -> tuple[Digest, ...]:
        """All blobs that are kept, in no particular order."""
        ...


class Workers(Protocol):
    """Runs CPU-bound functions off the event loop (in virtual time: at once, in place)."""

    async def run(self, function: Callable[..., T], *args: object) -> T: ...


class Finder(Protocol):
    """Finds peers beside those that peers tell one another of (p2pnode/directory.py)."""

    async def found(self) -> tuple[PeerKey, tuple[str, ...]]:
        """The next peer that was heard of, and where it may be dialled; waits for one."""
        ...

    async def seek(self, peer: PeerKey) -> None:
        """Looks for a peer; if it is heard of, `found` says so."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them, handed to the node's composition root."""

    clock: Clock
    entropy: Entropy
    transport: Transport
    chain: Chain
    disk: Disk
    workers: Workers
    folder: Path
    finder: Finder | None = None
