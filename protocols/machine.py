"""A protocol is a machine without I/O: events come in with the time, effects go out, and one driver performs them.

After h11's transition tables and mitmproxy's events and commands: a machine never sleeps, sends or draws randomness, so
the same code runs in production, in virtual time and in a table test.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from protocols.errors import RemoteError, TransitionError
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed
from protocols.wire.messages import CellResult, Contribution, Header, HeaderCertificate, ListCertificate, Message

# ------------------------------------------------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class Started:
    """The round begins for this machine."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message whose signature holds; what it says is still to be checked."""

    signed: Signed

    @property
    def message(self) -> Message:
        return self.signed.message

    @property
    def sender(self) -> PeerKey:
        return self.signed.signer


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The timer of this name, set by this machine, is due."""

    name: str


@dataclass(frozen=True, slots=True)
class JobDone:
    """A job's result."""

    job: Job
    result: Any


@dataclass(frozen=True, slots=True)
class JobFailed:
    """A job ended with a fault of other peers (a fault of ours stops the round in the driver)."""

    job: Job
    error: RemoteError


@dataclass(frozen=True, slots=True)
class Fetched:
    """Blobs arrived, in the order of the request; their digests are still to be checked by a job."""

    fetch: Fetch
    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No holder had (all of) the blobs."""

    fetch: Fetch


@dataclass(frozen=True, slots=True)
class Ready:
    """Told by custody: for which contributions this member holds the share and knows the ciphertexts available.

    Attributes:
        contributions: by cell.
        final: nothing more is waited for.
    """

    contributions: Mapping[int, frozenset[Contribution]]
    final: bool


@dataclass(frozen=True, slots=True)
class Certified:
    """Told by agreement: the list of this round stands."""

    certificate: ListCertificate


@dataclass(frozen=True, slots=True)
class CellOpened:
    """Told by a cell's opening: its result, and its lane sums unless it counts nothing."""

    result: CellResult
    lanes: npt.NDArray[np.int64] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Told by whoever finds it: this round cannot be completed, and why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Trained:
    """The learner's answer to `Train`: the update's grid integers as int64[lanes]."""

    lanes: npt.NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stepped:
    """The learner's answer to `Step`: the digest of the parameters that the total leads to."""

    params_digest: Digest


Event = (
    Started
    | Received
    | TimerFired
    | JobDone
    | JobFailed
    | Fetched
    | FetchFailed
    | Ready
    | Certified
    | CellOpened
    | Shortfall
    | Trained
    | Stepped
)

# ----------------------------------------------------------------------------------------------------------- effects


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


@dataclass(frozen=True, slots=True)
class Store:
    """Keep blobs, to be served by digest."""

    blobs: tuple[tuple[Digest, bytes], ...]


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
    """Ask this node's learner for one local update from the parameters `parent`; answered with `Trained`."""

    parent: Digest
    height: Height


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

    event: Ready | Certified | CellOpened | Shortfall


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
    | Conclude
    | Observe
    | Blame
)
Effects = list[Effect]

# ----------------------------------------------------------------------------------------------------------- machine

S = TypeVar("S", bound=enum.Enum)
Key = type[Any] | str
"""An event's type; for `Received` the message's type; for jobs, timers and fetches `type.name:purpose`."""


class Machine(Generic[S]):
    """State plus one table (state, what happened) -> name of the method that answers.

    A subclass fills TABLE; `IGNORED` names what may arrive in any state without meaning anything there (a late receipt).
    """

    TABLE: ClassVar[Mapping[tuple[Any, Key], str]]
    IGNORED: ClassVar[frozenset[Key]] = frozenset()

    def __init__(self, state: S) -> None:
        self.state = state

    @classmethod
    def accepts(cls, message: type[Message]) -> bool:
        """Whether any state of this machine has a use for a message of this type."""
        return any(key is message for _, key in cls.TABLE)

    def handle(self, event: Event, now: float) -> Effects:
        """Answers one event.

        Raises:
            TransitionError: the table does not allow this event in this state.
        """
        key = event_key(event)
        method = self.TABLE.get((self.state, key))
        if method is not None:
            effects: Effects = getattr(self, method)(event, now)
            return effects
        if key in self.IGNORED or isinstance(event, Received | TimerFired | Fetched | FetchFailed):
            return []  # peers and timers may always be late; jobs that we started may not
        raise TransitionError(f"{type(self).__name__} in state {self.state.name} does not allow {key}")


def event_key(event: Event) -> Key:
    """Under which key a table lists this event."""
    match event:
        case Received():
            return type(event.message)
        case TimerFired(name=name):
            return f"timer:{name}"
        case JobDone(job=job):
            return f"done:{job.purpose}"
        case JobFailed(job=job):
            return f"failed:{job.purpose}"
        case Fetched(fetch=fetch):
            return f"fetched:{fetch.purpose}"
        case FetchFailed(fetch=fetch):
            return f"unfetched:{fetch.purpose}"
        case _:
            return type(event)
