"""What can happen to a machine. Effects ask for it (protocols/effects.py); a driver brings it about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.effects import Fetch, Job
from protocols.errors import RemoteError
from protocols.rounds.epoch import EpochView
from protocols.told import Available, CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, PeerKey
from protocols.verification.proofs import WrongSum
from protocols.wire.envelope import Signed
from protocols.wire.messages import Message, Slot


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
    """A job ended with a fault of other peers. A fault of ours is observed, and its machine sits the round out."""

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
class Trained:
    """The learner's answer to `Train`: the update's grid integers as int64[lanes], and their `lanes_digest`."""

    lanes: npt.NDArray[np.int64] = field(repr=False)
    digest: Digest


@dataclass(frozen=True, slots=True)
class Stepped:
    """The learner's answer to `Step`: the digest of the parameters that the total leads to."""

    params_digest: Digest


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The learner could not take the step asked for, and why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class EpochKnown:
    """The chain has settled an epoch."""

    view: EpochView


@dataclass(frozen=True, slots=True)
class Spoke:
    """Somebody has signed a message of a later round than this node is in; the signature holds, no more is checked."""

    member: PeerKey
    slot: Slot


Event = (
    Started
    | Received
    | TimerFired
    | JobDone
    | JobFailed
    | Fetched
    | FetchFailed
    | Ready
    | Available
    | Certified
    | CellOpened
    | Shortfall
    | WrongSum
    | Trained
    | Stepped
    | StepFailed
    | EpochKnown
    | Spoke
)
