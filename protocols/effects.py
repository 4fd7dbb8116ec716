"""What a machine asks for. The driver performs effects in order: what is journalled first is durable first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.told import Told
from protocols.types import Digest, Height, PeerKey
from protocols.verification.proofs import Proof
from protocols.wire.envelope import Signed
from protocols.wire.messages import Header, HeaderCertificate


@dataclass(frozen=True, slots=True)
class Journal:
    """Make this durable before any effect behind it is performed. `slot` names what must happen once."""

    kind: str
    height: Height
    slot: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """One signed message to one peer."""

    to: PeerKey
    signed: Signed


@dataclass(frozen=True, slots=True)
class Publish:
    """One signed message to everybody who follows a topic."""

    topic: str
    signed: Signed


@dataclass(frozen=True, slots=True)
class Fetch:
    """Blobs by digest from the first of `holders` that has them all; `purpose` comes back with the event.

    Attributes:
        max_bytes: bound of one blob.
    """

    purpose: str
    subject: Any
    digests: tuple[Digest, ...]
    holders: tuple[PeerKey, ...]
    max_bytes: int

    def elsewhere(self) -> Fetch:
        """The same again, beginning with the next holder: the first may be silent or serve junk for ever."""
        return replace(self, holders=(*self.holders[1:], *self.holders[:1]))


@dataclass(frozen=True, slots=True)
class Store:
    """Keep blobs for a few rounds, to be served by digest.

    Attributes:
        durable: nobody else has them: they must be on the disk before the next effect is performed.
    """

    blobs: tuple[tuple[Digest, bytes], ...] = field(repr=False)
    durable: bool = False


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `TimerFired(name)` at this time, once; a later call for the same name replaces it."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Job:
    """CPU-bound work: a pure function, run in a worker. `subject` is the machine's own note on what it is for."""

    purpose: str
    function: Callable[..., Any] = field(repr=False)
    arguments: tuple[Any, ...] = field(repr=False)
    subject: Any = None


@dataclass(frozen=True, slots=True)
class Train:
    """Ask this node's learner for one local update from the parameters `parent`; answered with `Trained`.

    Attributes:
        members: of this peer's cell.
        quorum: contributors without whom its sum is not opened; the noise of an update depends on both.
    """

    parent: Digest
    height: Height
    members: int
    quorum: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """Propose this certified header on the chain, unless somebody has after `delay_s` seconds."""

    header: Header
    delay_s: float


@dataclass(frozen=True, slots=True)
class Attest:
    """Attest this header on the chain as a validator."""

    header: Header


@dataclass(frozen=True, slots=True)
class Differ:
    """This node has recomputed a certified header and found something else than it says.

    Attributes:
        part: "sums" (the cells' sums, or their total) or "step" (the parameters after the outer step).
    """

    header: Header
    part: str


@dataclass(frozen=True, slots=True)
class Prosecute:
    """Bring this proof to the court, unless somebody has."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class Step:
    """Ask this node's learner for the outer step from the parameters `parent` by a total; answered with `Stepped`.

    Attributes:
        total: canonical bytes of the weighted total (protocols/updates/totals.py).
    """

    parent: Digest
    total: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tell:
    """An event for the other machines of this node and round."""

    event: Told


@dataclass(frozen=True, slots=True)
class Conclude:
    """Hand a header certificate to this node's own ledger, as if it had been received."""

    certificate: HeaderCertificate


@dataclass(frozen=True, slots=True)
class Observe:
    """Something that people watch: for logs, metrics, reports. Fields are JSON-able, keys as hex."""

    name: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer did what the protocol forbids; `reason` says what."""

    culprit: PeerKey
    reason: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a node stands: the last applied header, or the beginning.

    Attributes:
        next_height: the first height that this head does not cover.
    """

    next_height: int
    header: Digest
    params: Digest
    certificate: HeaderCertificate | None = None


@dataclass(frozen=True, slots=True)
class NeedEpoch:
    """Ask the chain for an epoch's view; answered with `EpochKnown`."""

    epoch: int


@dataclass(frozen=True, slots=True)
class BeginRound:
    """Start this round's machines from the head."""

    height: Height
    head: Head


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make this head the learner's; `model` holds its canonical bytes unless the learner computed them itself."""

    head: Head
    model: bytes | None


@dataclass(frozen=True, slots=True)
class AskHeads:
    """Ask connected peers for their newest header certificate: this node may have missed one."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The run's final height is reached."""

    head: Head


Effect = (
    Journal
    | Send
    | Publish
    | Fetch
    | Store
    | SetTimer
    | Job
    | Train
    | Step
    | Tell
    | Anchor
    | Attest
    | Differ
    | Prosecute
    | Conclude
    | Observe
    | Blame
    | NeedEpoch
    | BeginRound
    | Adopt
    | AskHeads
    | Finish
)
Effects = list[Effect]
