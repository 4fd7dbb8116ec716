"""An aggregator's part of a round: fetch its cell's ciphertexts, say which are available, add the certified ones."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

from protocols.agreement.certificate import list_digest
from protocols.effects import Blame, Effects, Fetch, Job, Observe, Publish, Send, SetTimer, Store
from protocols.encryption.scheme import Scheme
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Received, Started
from protocols.machine import Key, Machine
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, Summed, Verified, add, verify_ciphertexts
from protocols.rounds.custody import HOLDS_CIPHERTEXTS
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import Manifests, StaleError
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height
from protocols.wire.envelope import Signer
from protocols.wire.messages import Aggregate, Availability, CellSet, Contribution, Manifest, Receipt, Submission

REPORT_S = 0.25
"""Availability is reported at most so often: one message for several contributions."""
REFETCH_S = 1.0


class State(enum.Enum):
    """Where an aggregator stands."""

    IDLE = enum.auto()
    GATHERING = enum.auto()
    CERTIFIED = enum.auto()  # gathers what the certified set still lacks
    ADDING = enum.auto()
    DONE = enum.auto()


class Aggregation(Machine[State]):
    """One aggregator of one cell, one round."""

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.GATHERING, Submission): "submission",
        (State.GATHERING, "fetched:ciphertexts"): "fetched",
        (State.GATHERING, "unfetched:ciphertexts"): "unfetched",
        (State.GATHERING, "timer:refetch"): "refetch",
        (State.GATHERING, "done:verify"): "verified",
        (State.GATHERING, "failed:verify"): "refused",
        (State.CERTIFIED, Submission): "submission",
        (State.CERTIFIED, "fetched:ciphertexts"): "fetched",
        (State.CERTIFIED, "unfetched:ciphertexts"): "unfetched",
        (State.CERTIFIED, "timer:refetch"): "refetch",
        (State.CERTIFIED, "done:verify"): "verified",
        (State.CERTIFIED, "failed:verify"): "refused",
        (State.GATHERING, "timer:report"): "report",
        (State.GATHERING, Certified): "certified",
        (State.ADDING, "done:add"): "added",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset(
        {Ready, Certified, CellOpened, Shortfall, "done:verify", "failed:verify"}
    )

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        cell: int,
        sign: Signer,
        scheme: Scheme,
        chunks: int,
        proof_topic: str,
    ) -> None:
        super().__init__(State.IDLE)
        self._view, self._height, self._cell = view, height, cell
        self._sign, self._scheme, self._topic = sign, scheme, proof_topic
        self._manifests = Manifests(view, height, parent, chunks)
        self._wanted: set[Contribution] = set()
        self._verified: dict[Contribution, Verified] = {}
        self._lost: list[Contribution] = []
        self._reported: frozenset[Digest] = frozenset()
        self._set: CellSet | None = None
        self._sets = Digest(bytes(32))

    def start(self, _: Event, __: float) -> Effects:
        self.state = State.GATHERING
        return []

    def submission(self, event: Received, _: float) -> Effects:
        submission = event.message
        assert isinstance(submission, Submission)
        try:
            signed = self._manifests.accept(submission)
        except StaleError as error:
            return [Observe("stale", {"height": self._height, "peer": event.sender.hex(), "reason": str(error)})]
        except RemoteError as error:
            return [Blame(event.sender, f"submission refused: {error}")]
        if self._view.cell_of(signed.signer) != self._cell:
            return []  # this peer also sits in the committee: the submission is for its custody
        contribution = Contribution(signed.signer, signed.digest)
        if contribution in self._wanted:
            return []  # sent again
        self._wanted.add(contribution)
        store = Store(((signed.digest, submission.manifest),))
        return [store, self._fetch(contribution)]

    def fetched(self, event: Fetched, _: float) -> Effects:
        manifest = self._manifest(event.fetch.subject)
        arguments = (self._scheme, event.blobs, manifest.chunk_roots)
        keep = Store(tuple(zip(manifest.chunk_roots, event.blobs, strict=True)))
        return [Job("verify", verify_ciphertexts, arguments, subject=(event.fetch.subject, keep))]

    def unfetched(self, event: FetchFailed, now: float) -> Effects:
        self._lost.append(event.fetch.subject)
        return [SetTimer("refetch", now + REFETCH_S)]

    def refetch(self, _: Event, __: float) -> Effects:
        lost, self._lost = self._lost, []
        return [self._fetch(contribution) for contribution in lost]

    def refused(self, event: JobFailed, _: float) -> Effects:
        contribution, _keep = event.job.subject
        self._wanted.discard(contribution)
        return [Blame(contribution.contributor, f"served ciphertexts that are not its manifest's: {event.error}")]

    def verified(self, event: JobDone, now: float) -> Effects:
        contribution, keep = event.job.subject
        self._verified[contribution] = event.result
        receipt = Receipt(self._view.slot(self._height), contribution.manifest, HOLDS_CIPHERTEXTS)
        effects: Effects = [keep, Send(contribution.contributor, self._sign(receipt))]
        if self.state is State.CERTIFIED:
            return [*effects, *self._try_add()]
        if len(self._verified) == len(self._view.cells[self._cell]):
            return [*effects, *self.report(event, now)]
        return [*effects, SetTimer("report", now + REPORT_S)]

    def report(self, _: Event, __: float) -> Effects:
        """Tells the committee which contributions are available; nothing if it knows already."""
        available = frozenset(contribution.manifest for contribution in self._verified)
        if available == self._reported:
            return []
        self._reported = available
        said = Availability(self._view.slot(self._height), self._cell, tuple(sorted(available)))
        signed = self._sign(said)
        return [Send(member, signed) for member in self._view.committee]

    def certified(self, event: Certified, _: float) -> Effects:
        self.state, self._sets = State.CERTIFIED, list_digest(event.certificate.sets)
        self._set = next((each for each in event.certificate.sets.cells if each.cell == self._cell), None)
        if self._set is None:
            self.state = State.DONE
            return []
        return self._try_add()

    def added(self, event: JobDone, _: float) -> Effects:
        summed: Summed = event.result
        self.state = State.DONE
        aggregate = Aggregate(self._view.slot(self._height), self._cell, self._sets, summed.roots)
        signed = self._sign(aggregate)
        sends = [Send(member, signed) for member in self._view.committee]
        observe = Observe("aggregated", {"height": self._height, "cell": self._cell})
        return [
            Store(tuple(zip(summed.roots, summed.packed, strict=True))),
            *sends,
            Publish(self._topic, signed),
            observe,
        ]

    def _try_add(self) -> Effects:
        assert self._set is not None
        if any(contribution not in self._verified for contribution in self._set.contributions):
            return []
        self.state = State.ADDING
        parts = [self._verified[contribution] for contribution in self._set.contributions]
        self._verified.clear()
        return [Job("add", add, (self._scheme, parts))]

    def _fetch(self, contribution: Contribution) -> Fetch:
        roots = self._manifest(contribution).chunk_roots
        return Fetch("ciphertexts", contribution, roots, (contribution.contributor,), CHUNK_MAX_BYTES)

    def _manifest(self, contribution: Contribution) -> Manifest:
        manifest = self._manifests.named(contribution.manifest)
        assert manifest is not None, "only accepted manifests are fetched"
        return manifest
