"""How a committee member opens one cell: get the sum, gather released shares, interpolate the key, decode.

Two aggregators add each cell. Where their sums differ, or only one came, or what they agree on does not open, the
member adds the ciphertexts itself and knows who was wrong; so a wrong sum is never opened, and validators need not be
waited for.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

from protocols.agreement.certificate import list_digest
from protocols.effects import Blame, Effects, Fetch, Job, Observe, SetTimer, Store, Tell
from protocols.encryption.lanes import check_sum, unpack_sums
from protocols.encryption.one_time_key import SpoiledSumError
from protocols.encryption.packing import unpack_share
from protocols.encryption.scheme import Opened, PublicContext, Residues, Scheme, Share
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Received, Started
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, Summed, Verified, add, verify_ciphertexts
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import Manifests, open_manifest
from protocols.rounds.release import set_digest
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.chunks import update_root
from protocols.updates.schema import UpdateSchema
from protocols.wire.messages import (
    ENVELOPE_MAX_BYTES,
    Aggregate,
    CellResult,
    CellSet,
    Contribution,
    Manifest,
    Release,
    Submission,
)

REFETCH_S = 1.0


class State(enum.Enum):
    """Where the opening of a cell stands."""

    WAITING = enum.auto()  # for the certificate
    SUMMING = enum.auto()  # for a sum that two aggregators, or this member, vouch for
    OPENING = enum.auto()  # for enough released shares
    TRYING = enum.auto()  # a job interpolates and decodes
    DONE = enum.auto()


def open_cell(
    scheme: Scheme,
    schema: UpdateSchema,
    total: Residues,
    context: PublicContext,
    released: Mapping[int, Share],
    threshold: int,
    contributors: int,
) -> Opened:
    """The job: the exact sums, refused where contributors could not have reached them.

    Raises:
        RemoteError: see `Scheme.open`; more shares may still open it.
        SpoiledSumError: a contributor spoiled the cell; it counts nothing.
    """
    opened = scheme.open(total, context, released, threshold, contributors, schema.layout)
    try:
        check_sum(unpack_sums(opened.lanes, schema), schema, contributors)
    except RemoteError as error:
        raise SpoiledSumError(str(error)) from error
    return opened


class CellOpening(Machine[State]):
    """One member, one cell, one round. Tells `CellOpened` once."""

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Submission): "submission",
        (State.WAITING, Aggregate): "aggregate",
        (State.WAITING, Release): "release",
        (State.WAITING, Certified): "certified",
        (State.SUMMING, Submission): "submission",
        (State.SUMMING, Aggregate): "aggregate",
        (State.SUMMING, Release): "release",
        (State.SUMMING, "timer:replicas"): "recompute",
        (State.SUMMING, "fetched:sum"): "fetched_sum",
        (State.SUMMING, "unfetched:sum"): "recompute",
        (State.SUMMING, "done:verify-sum"): "verified_sum",
        (State.SUMMING, "failed:verify-sum"): "recompute",
        (State.SUMMING, "fetched:manifest"): "manifest",
        (State.SUMMING, "unfetched:manifest"): "unfetched",
        (State.SUMMING, "fetched:ciphertexts"): "fetched",
        (State.SUMMING, "unfetched:ciphertexts"): "unfetched",
        (State.SUMMING, "timer:refetch"): "refetch",
        (State.SUMMING, "done:verify"): "verified",
        (State.SUMMING, "failed:verify"): "refused",
        (State.SUMMING, "done:recompute"): "recomputed",
        (State.OPENING, Aggregate): "aggregate",
        (State.OPENING, Release): "release",
        (State.OPENING, "timer:patience"): "out_of_patience",
        (State.TRYING, Release): "release",
        (State.TRYING, "done:open"): "opened",
        (State.TRYING, "failed:open"): "failed",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset(
        {
            Started,
            Ready,
            Certified,
            CellOpened,
            Shortfall,
            "done:verify-sum",
            "failed:verify-sum",
            "done:verify",
            "failed:verify",
            "done:recompute",
        }
    )

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        cell: int,
        scheme: Scheme,
        schema: UpdateSchema,
        chunks: int,
    ) -> None:
        super().__init__(State.WAITING)
        self._view, self._height, self._cell = view, height, cell
        self._scheme, self._schema, self._chunks = scheme, schema, chunks
        self._manifests = Manifests(view, height, parent, chunks)
        self._aggregates: dict[PeerKey, tuple[Digest, ...]] = {}
        self._releases: dict[int, Share] = {}
        self._early: dict[int, Received] = {}
        self._tried = 0
        self._patience_over = False
        self._set = CellSet(cell, ())
        self._sets = NO_DIGEST
        self._parts: dict[Contribution, Verified] | None = None  # being added by ourselves
        self._lost: list[Fetch] = []
        self._total: Summed | None = None
        self._began = 0.0

    def submission(self, event: Received, _: float) -> Effects:
        assert isinstance(event.message, Submission)
        try:
            signed = self._manifests.accept(event.message)
        except RemoteError:
            return []  # custody has blamed the sender for it
        return [Store(((signed.digest, event.message.manifest),))]

    def aggregate(self, event: Received, now: float) -> Effects:
        aggregate = event.message
        assert isinstance(aggregate, Aggregate)
        if aggregate.cell != self._cell:
            return []
        if event.sender not in self._view.aggregators(self._height, self._cell):
            return [Blame(event.sender, f"is no aggregator of cell {self._cell}")]
        if self.state is State.SUMMING and aggregate.sets != self._sets:
            return [Blame(event.sender, "added another list than the certified one")]
        self._aggregates[event.sender] = aggregate.chunk_roots
        return self._try_sum(now) if self.state is State.SUMMING else []

    def release(self, event: Received, now: float) -> Effects:
        release, member = event.message, self._view.member_index(event.sender)
        assert isinstance(release, Release)
        if release.cell != self._cell:
            return []
        if member is None:
            return [Blame(event.sender, "releases but is not in the committee")]
        if self.state is State.WAITING:
            self._early[member] = event
            return []
        if release.cell_set != set_digest(self._set):
            return [Blame(event.sender, "released for another set than the certified one")]
        try:
            self._releases[member] = unpack_share(release.share)
        except RemoteError as error:
            return [Blame(event.sender, f"released bytes that are no share: {error}")]
        return self._try_open(now) if self.state is State.OPENING else []

    def certified(self, event: Certified, now: float) -> Effects:
        found = next((each for each in event.certificate.sets.cells if each.cell == self._cell), None)
        if found is None:
            self.state = State.DONE
            return []
        self.state, self._set, self._began = State.SUMMING, found, now
        self._sets = list_digest(event.certificate.sets)
        early = [effect for release in self._early.values() for effect in self.release(release, now)]
        self._early.clear()
        return [SetTimer("replicas", now + self._view.params.grace_s), *early, *self._try_sum(now)]

    def fetched_sum(self, event: Fetched, _: float) -> Effects:
        arguments = (self._scheme, event.blobs, event.fetch.digests)
        return [Job("verify-sum", verify_ciphertexts, arguments, subject=event.fetch.digests)]

    def verified_sum(self, event: JobDone, now: float) -> Effects:
        return self._summed(Summed(event.result.residues, event.job.subject, ()), now)

    def recompute(self, _: Event, __: float) -> Effects:
        """Adds the cell itself, since its aggregators disagree, are silent, or do not serve what they announced."""
        if self._parts is not None:
            return []
        self._parts = {}
        wanted = [
            (contribution, self._manifests.named(contribution.manifest)) for contribution in self._set.contributions
        ]
        return [self._fetch(contribution, manifest) for contribution, manifest in wanted]

    def manifest(self, event: Fetched, now: float) -> Effects:
        """A manifest whose contributor did not send it to this member."""
        (blob,) = event.blobs
        contribution: Contribution = event.fetch.subject
        try:
            signed = open_manifest(blob, self._view, self._height, self._chunks)
        except RemoteError:
            return self._again(event.fetch, now)
        if (signed.signer, signed.digest) != (contribution.contributor, contribution.manifest):
            return self._again(event.fetch, now)
        assert isinstance(signed.message, Manifest)
        return [self._fetch(contribution, signed.message)]

    def fetched(self, event: Fetched, _: float) -> Effects:
        arguments = (self._scheme, event.blobs, event.fetch.digests)
        return [Job("verify", verify_ciphertexts, arguments, subject=event.fetch)]

    def unfetched(self, event: FetchFailed, now: float) -> Effects:
        return self._again(event.fetch, now)

    def refetch(self, _: Event, __: float) -> Effects:
        lost, self._lost = self._lost, []
        return list(lost)

    def verified(self, event: JobDone, _: float) -> Effects:
        assert self._parts is not None
        self._parts[event.job.subject.subject] = event.result
        if len(self._parts) < len(self._set.contributions):
            return []
        return [Job("recompute", add, (self._scheme, list(self._parts.values())))]

    def refused(self, event: JobFailed, now: float) -> Effects:
        return self._again(event.job.subject, now)

    def recomputed(self, event: JobDone, now: float) -> Effects:
        summed: Summed = event.result
        store = Store(tuple(zip(summed.roots, summed.packed, strict=True)))
        return [store, *self._verdicts(summed.roots), *self._summed(summed, now)]

    def opened(self, event: JobDone, now: float) -> Effects:
        opened: Opened = event.result
        assert self._total is not None
        blames: Effects = [
            Blame(self._view.committee[member - 1], f"released a wrong share for cell {self._cell}")
            for member in opened.wrong
        ]
        key_digest = tagged("summed-key", opened.key)
        contributors = len(self._set.contributions)
        result = CellResult(self._cell, contributors, update_root(self._total.roots), key_digest)
        names = [each.contributor.hex() for each in self._set.contributions]
        observe = Observe("opened", {"height": self._height, "cell": self._cell, "contributors": names})
        keep = Store(((key_digest, opened.key),))
        return [*blames, keep, observe, self._phase("open", now), self._done(CellOpened(result, opened.lanes))]

    def failed(self, event: JobFailed, now: float) -> Effects:
        """Liars can look like a spoiled cell until all honest shares are out: only then it counts nothing."""
        keyless = not self._scheme.needs_keys  # then there are no shares to wait for
        all_out = keyless or self._patience_over or self._tried == len(self._view.committee)
        spoiled = keyless or isinstance(event.error, SpoiledSumError)
        if spoiled and all_out and self._parts is None:  # unless both aggregators lied: so far we took their word
            self.state, self._total, self._tried = State.SUMMING, None, 0
            return self.recompute(event, now)
        if spoiled and all_out:
            void = CellResult(self._cell, 0, NO_DIGEST, NO_DIGEST)
            fields = {"height": self._height, "cell": self._cell, "reason": str(event.error)}
            return [Observe("spoiled", fields), self._done(CellOpened(void, None))]
        self.state = State.OPENING
        timer = SetTimer("patience", now + self._view.params.grace_s)
        return [timer, *self._try_open(now)] if isinstance(event.error, SpoiledSumError) else self._try_open(now)

    def out_of_patience(self, _: Event, now: float) -> Effects:
        self._patience_over, self._tried = True, 0
        return self._try_open(now)

    def _try_sum(self, _: float) -> Effects:
        """Two aggregators that announce the same sum need one honest one among them; else this member adds."""
        announced = list(self._aggregates.values())
        if len(announced) < len(self._view.aggregators(self._height, self._cell)) or self._parts is not None:
            return []
        if len(set(announced)) > 1:
            return self.recompute(Started(), 0.0)
        return [Fetch("sum", None, announced[0], tuple(self._aggregates), CHUNK_MAX_BYTES)]

    def _summed(self, summed: Summed, now: float) -> Effects:
        if self._total is not None:
            return []
        self._total, self.state = summed, State.OPENING
        phase = self._phase("aggregate", now)
        self._began = now
        return [phase, *self._try_open(now)]

    def _try_open(self, _: float) -> Effects:
        needed = self._view.params.threshold if self._scheme.needs_keys else 0
        if len(self._releases) < max(needed, self._tried + 1) and self._scheme.needs_keys:
            return []  # nothing new since the last try
        assert self._total is not None
        self.state, self._tried = State.TRYING, len(self._releases)
        context = PublicContext(self._view.round_beacon(self._height), self._height, self._cell)
        contributors = len(self._set.contributions)
        arguments = (
            self._scheme,
            self._schema,
            self._total.residues,
            context,
            dict(self._releases),
            needed,
            contributors,
        )
        return [Job("open", open_cell, arguments)]

    def _verdicts(self, roots: tuple[Digest, ...]) -> Effects:
        """Names every aggregator whose sum is not the one that we computed, with the first chunk that differs."""
        effects: Effects = []
        for aggregator, announced in self._aggregates.items():
            wrong = first_difference(announced, roots)
            if wrong is not None:
                effects.append(Blame(aggregator, f"wrong sum of cell {self._cell}, chunk {wrong}"))
        return effects

    def _fetch(self, contribution: Contribution, manifest: Manifest | None) -> Fetch:
        holders = (*self._view.aggregators(self._height, self._cell), contribution.contributor)
        if manifest is None:  # others voted for it
            holders += self._view.committee
            return Fetch("manifest", contribution, (contribution.manifest,), holders, ENVELOPE_MAX_BYTES)
        return Fetch("ciphertexts", contribution, manifest.chunk_roots, holders, CHUNK_MAX_BYTES)

    def _again(self, fetch: Fetch, now: float) -> Effects:
        self._lost.append(fetch.elsewhere())
        return [SetTimer("refetch", now + REFETCH_S)]

    def _phase(self, name: str, now: float) -> Observe:
        return Observe("phase", {"height": self._height, "phase": name, "seconds": now - self._began})

    def _done(self, event: CellOpened) -> Tell:
        self.state = State.DONE
        self._releases.clear()
        return Tell(event)


def first_difference(announced: tuple[Digest, ...], roots: tuple[Digest, ...]) -> int | None:
    """The first chunk in which two sums differ, None where they are the same."""
    pairs = enumerate(zip(announced, roots, strict=False))
    different = next((index for index, (one, other) in pairs if one != other), None)
    return min(len(announced), len(roots)) if different is None and len(announced) != len(roots) else different
