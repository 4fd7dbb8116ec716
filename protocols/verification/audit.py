"""A validator's part of a round: fetch what the proofs name, recompute every cell's sum, judge, attest.

It believes nobody: manifests carry their contributors' signatures, ciphertexts their digests, the list and the header
their certificates, the sum is added again from the ciphertexts themselves, and opened again with the summed key that
the header binds; the total of all cells must be the header's.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import ClassVar

from protocols.agreement.certificate import check_header, list_digest
from protocols.effects import Attest, Blame, Effects, Fetch, Job, Observe, SetTimer, Store
from protocols.encryption.layout import Layout
from protocols.encryption.scheme import Lanes, PublicContext, Scheme
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Received, Started
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, Summed, Verified, add, verify_ciphertexts
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import open_manifest
from protocols.rounds.opening import first_difference
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Height, PeerKey
from protocols.updates.chunks import update_root
from protocols.updates.totals import add_cells
from protocols.wire.messages import (
    ENVELOPE_MAX_BYTES,
    Aggregate,
    CellResult,
    CellSet,
    Contribution,
    Header,
    HeaderCertificate,
    Manifest,
    SetList,
)

REFETCH_S = 1.0
KEY_MAX_BYTES = 16_384


class State(enum.Enum):
    """Where a validator stands with one round."""

    WAITING = enum.auto()  # for the certified list
    AUDITING = enum.auto()
    ATTESTED = enum.auto()  # or refused; still judges aggregates that come late


class Audit(Machine[State]):
    """One validator, one round. A verdict names the aggregator, and the first chunk in which its sum is wrong."""

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Aggregate): "aggregate",
        (State.WAITING, HeaderCertificate): "header",
        (State.WAITING, Certified): "certified",
        (State.AUDITING, Aggregate): "aggregate",
        (State.AUDITING, HeaderCertificate): "header",
        (State.AUDITING, "fetched:manifest"): "manifest",
        (State.AUDITING, "unfetched:manifest"): "unfetched",
        (State.AUDITING, "fetched:ciphertexts"): "ciphertexts",
        (State.AUDITING, "unfetched:ciphertexts"): "unfetched",
        (State.AUDITING, "timer:refetch"): "refetch",
        (State.AUDITING, "done:verify"): "verified",
        (State.AUDITING, "failed:verify"): "refused",
        (State.AUDITING, "done:add"): "added",
        (State.AUDITING, "fetched:key"): "key",
        (State.AUDITING, "unfetched:key"): "unfetched",
        (State.AUDITING, "done:reopen"): "reopened",
        (State.AUDITING, "failed:reopen"): "misfit",
        (State.ATTESTED, Aggregate): "aggregate",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset(
        {
            Started,
            Ready,
            Certified,
            CellOpened,
            Shortfall,
            "done:verify",
            "failed:verify",
            "done:add",
            "done:reopen",
            "failed:reopen",
        }
    )

    def __init__(self, view: EpochView, height: Height, scheme: Scheme, chunks: int, layout: Layout) -> None:
        super().__init__(State.WAITING)
        self._view, self._height = view, height
        self._scheme, self._chunks, self._layout = scheme, chunks, layout
        self._sets: SetList | None = None
        self._aggregates: dict[tuple[int, PeerKey], Aggregate] = {}
        self._parts: dict[int, dict[Contribution, Verified]] = {}
        self._sums: dict[int, Summed] = {}
        self._opened: dict[int, Lanes] = {}
        self._opening: set[int] = set()
        self._header: Header | None = None
        self._lost: list[Fetch] = []

    def aggregate(self, event: Received, _: float) -> Effects:
        aggregate = event.message
        assert isinstance(aggregate, Aggregate)
        known_cell = aggregate.cell < len(self._view.cells)
        if not known_cell or event.sender not in self._view.aggregators(self._height, aggregate.cell):
            return [Blame(event.sender, f"is no aggregator of cell {aggregate.cell}")]
        self._aggregates[aggregate.cell, event.sender] = aggregate
        return self._judge(aggregate.cell, event.sender)

    def certified(self, event: Certified, _: float) -> Effects:
        self.state, self._sets = State.AUDITING, event.certificate.sets
        return [
            self._fetch_manifest(cell_set, each) for cell_set in self._sets.cells for each in cell_set.contributions
        ]

    def header(self, event: Received, _: float) -> Effects:
        certificate = event.message
        assert isinstance(certificate, HeaderCertificate)
        try:
            check_header(certificate, self._view)
        except RemoteError as error:
            return [Blame(event.sender, f"header refused: {error}")]
        self._header = certificate.header
        return self._try_attest()

    def manifest(self, event: Fetched, now: float) -> Effects:
        contribution: Contribution = event.fetch.subject
        (blob,) = event.blobs
        try:
            signed = open_manifest(blob, self._view, self._height, self._chunks)
        except RemoteError:
            return self._again(event.fetch, now)
        if (signed.signer, signed.digest) != (contribution.contributor, contribution.manifest):
            return self._again(event.fetch, now)
        assert isinstance(signed.message, Manifest)
        holders = self._holders(signed.message.cell, contribution)
        fetch = Fetch("ciphertexts", contribution, signed.message.chunk_roots, holders, CHUNK_MAX_BYTES)
        return [Store(((signed.digest, blob),)), fetch]

    def ciphertexts(self, event: Fetched, _: float) -> Effects:
        arguments = (self._scheme, event.blobs, event.fetch.digests)
        return [Job("verify", verify_ciphertexts, arguments, subject=event.fetch)]

    def unfetched(self, event: FetchFailed, now: float) -> Effects:
        return self._again(event.fetch, now)

    def refused(self, event: JobFailed, now: float) -> Effects:
        return self._again(event.job.subject, now)

    def refetch(self, _: Event, __: float) -> Effects:
        lost, self._lost = self._lost, []
        return list(lost)

    def verified(self, event: JobDone, _: float) -> Effects:
        contribution: Contribution = event.job.subject.subject
        cell = self._view.cell_of(contribution.contributor)
        assert cell is not None
        assert self._sets is not None
        parts = self._parts.setdefault(cell, {})
        parts[contribution] = event.result
        wanted = next(each for each in self._sets.cells if each.cell == cell).contributions
        if len(parts) < len(wanted):
            return []
        del self._parts[cell]
        return [Job("add", add, (self._scheme, list(parts.values())), subject=cell)]

    def added(self, event: JobDone, _: float) -> Effects:
        cell: int = event.job.subject
        summed: Summed = event.result
        self._sums[cell] = summed
        judged = [self._judge(cell, aggregator) for at, aggregator in self._aggregates if at == cell]
        return [*(effect for effects in judged for effect in effects), *self._try_attest()]

    def key(self, event: Fetched, now: float) -> Effects:
        """Opens a cell again, with the very key that the header binds."""
        result: CellResult = event.fetch.subject
        (key,) = event.blobs
        if tagged("summed-key", key) != result.key_digest:
            return self._again(event.fetch, now)
        return [self._reopen(result, key)]

    def reopened(self, event: JobDone, _: float) -> Effects:
        self._opened[event.job.subject] = event.result
        return self._try_attest()

    def misfit(self, event: JobFailed, _: float) -> Effects:
        return self._refuse(f"cell {event.job.subject}: {event.error}")

    def _judge(self, cell: int, aggregator: PeerKey) -> Effects:
        """The verdict on one announced sum, once it is recomputed."""
        if cell not in self._sums or self._sets is None:
            return []
        roots = self._sums[cell].roots
        aggregate = self._aggregates[cell, aggregator]
        wrong = first_difference(aggregate.chunk_roots, roots)
        same_list = aggregate.sets == list_digest(self._sets)
        reason = "" if same_list and wrong is None else f"chunk {wrong} is not the sum" if same_list else "another list"
        verdict = Observe(
            "verdict",
            {
                "height": self._height,
                "cell": cell,
                "aggregator": aggregator.hex(),
                "chunk": wrong,
                "ok": not reason,
                "reason": reason,
            },
        )
        return [verdict, Blame(aggregator, f"wrong sum of cell {cell}: {reason}")] if reason else [verdict]

    def _try_attest(self) -> Effects:
        """Attests a certified header whose cells are the sums that this validator computed, and open to its total."""
        if self._header is None or self._sets is None or len(self._sums) < len(self._sets.cells):
            return []
        counted = [result for result in self._header.cells if result.contributors]
        if self._header.sets != list_digest(self._sets) or not all(self._binds(result) for result in counted):
            return self._refuse("it binds other sums than ours")
        if len(self._opened) < len(counted):
            missing = [result for result in counted if result.cell not in self._opening]
            self._opening.update(result.cell for result in missing)
            if not self._scheme.needs_keys:
                return [self._reopen(result, b"") for result in missing]
            holders = self._view.committee
            return [Fetch("key", result, (result.key_digest,), holders, KEY_MAX_BYTES) for result in missing]
        total = add_cells((self._opened[result.cell], result.contributors) for result in counted)
        if hashlib.sha256(total).digest() != self._header.total:
            return self._refuse("its total is not the sum of its cells")
        self.state = State.ATTESTED
        return [Attest(self._header)]

    def _binds(self, result: CellResult) -> bool:
        """Whether a counted cell of the header is the sum of the certified set that we computed."""
        assert self._sets is not None
        sizes = {each.cell: len(each.contributions) for each in self._sets.cells}
        summed = self._sums.get(result.cell)
        return (
            summed is not None
            and update_root(summed.roots) == result.sum_root
            and sizes[result.cell] == result.contributors
        )

    def _reopen(self, result: CellResult, key: bytes) -> Job:
        context = PublicContext(self._view.round_beacon(self._height), self._height, result.cell)
        arguments = (self._sums[result.cell].residues, context, key, result.contributors, self._layout)
        return Job("reopen", self._scheme.reopen, arguments, subject=result.cell)

    def _refuse(self, reason: str) -> Effects:
        self.state = State.ATTESTED
        return [Observe("refused-header", {"height": self._height, "reason": reason})]

    def _fetch_manifest(self, cell_set: CellSet, contribution: Contribution) -> Fetch:
        holders = self._holders(cell_set.cell, contribution)
        return Fetch("manifest", contribution, (contribution.manifest,), holders, ENVELOPE_MAX_BYTES)

    def _holders(self, cell: int, contribution: Contribution) -> tuple[PeerKey, ...]:
        """The contributor itself first: that spreads the load; the aggregators where it has gone."""
        return (contribution.contributor, *self._view.aggregators(self._height, cell), *self._view.committee)

    def _again(self, fetch: Fetch, now: float) -> Effects:
        self._lost.append(fetch.elsewhere())
        return [SetTimer("refetch", now + REFETCH_S)]
