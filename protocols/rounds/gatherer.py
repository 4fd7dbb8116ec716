"""Fetch, verify, add, forget: how ciphertexts come to whoever adds a cell, in memory of one sum whatever the crowd.

A *part* is one stripe of one contribution. Each contribution has one part under way at a time, so that one that stalls
holds up nobody else, and all together at most `WINDOW`. What was verified is added into its stripe's running sum and
not kept; sums are exact in any order.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from protocols.effects import Blame, Effects, Fetch, Job, SetTimer, Store
from protocols.encryption.scheme import Residues, Scheme
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, TimerFired
from protocols.machine import Key
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, Verified, verify_ciphertexts
from protocols.rounds.cells import indices
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import open_manifest
from protocols.types import Digest, Height, PeerKey
from protocols.wire.messages import ENVELOPE_MAX_BYTES, Contribution, Manifest

REFETCH_S: Final = 1.0
WINDOW: Final = 64
"""Parts under way at once, 1.8 MB each with their residues; a cell has at most 16 contributions."""
FETCHES: Final[tuple[Key, ...]] = (
    "fetched:manifest",
    "unfetched:manifest",
    "fetched:ciphertexts",
    "unfetched:ciphertexts",
    "timer:refetch",
)
JOBS: Final[tuple[Key, ...]] = ("done:verify", "failed:verify")
EVENTS: Final = (*FETCHES, *JOBS)
"""What a machine hands on to its gatherer."""

Place = tuple[int, int]
"""A cell and a stripe."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stripe of one contribution: the subject of fetches and jobs."""

    contribution: Contribution
    stripe: int


@dataclass(slots=True)
class RunningSum:
    """The sum of one stripe over the contributions that were added so far."""

    residues: Residues = field(repr=False)
    of: set[Contribution]


class Gatherer:
    """The ciphertexts of some contributions of a round, verified and added by cell and stripe.

    Args:
        keep: whether this peer serves what it verified.
        anywhere: whether parts may come from others than their contributor; else the contributor answers for them.
    """

    def __init__(
        self, view: EpochView, height: Height, scheme: Scheme, chunks: int, *, keep: bool, anywhere: bool
    ) -> None:
        self._view, self._height, self._scheme, self._chunks = view, height, scheme, chunks
        self._keep, self.anywhere = keep, anywhere
        self._manifests: dict[Digest, Manifest] = {}
        self._left: dict[Contribution, list[int]] = {}  # stripes that are wanted and not here
        self._ready: deque[Contribution] = deque()  # those with something left and nothing under way
        self._busy: set[Contribution] = set()
        self._lost: list[Contribution] = []
        self._failures: Counter[Contribution] = Counter()
        self._only: frozenset[Contribution] | None = None
        self._sums: dict[Place, RunningSum] = {}

    def learn(self, digest: Digest, manifest: Manifest) -> None:
        """A manifest that was checked; one that is wanted and unknown is fetched."""
        self._manifests[digest] = manifest

    def manifest(self, digest: Digest) -> Manifest | None:
        """One that was learnt."""
        return self._manifests.get(digest)

    def want(self, contribution: Contribution, stripes: Iterable[int]) -> Effects:
        """Asks for these parts, unless they are here or asked for already."""
        cell = self._cell(contribution)
        left = self._left.setdefault(contribution, [])
        left += [each for each in stripes if each not in left and not self.holds(Part(contribution, each), cell)]
        if left and not (contribution in self._busy or contribution in self._ready or contribution in self._lost):
            self._ready.append(contribution)
        return self._start()

    def restrict(self, only: Iterable[Contribution]) -> None:
        """From now on nothing else counts: sums that hold more begin anew (from this peer's own disk)."""
        self._only = frozenset(only)
        for contribution in [each for each in self._left if each not in self._only]:
            del self._left[contribution]
        self._ready = deque(each for each in self._ready if each in self._only)
        for place in [place for place, total in self._sums.items() if not total.of <= self._only]:
            del self._sums[place]

    def holds(self, part: Part, cell: int) -> bool:
        """Whether a part was verified and stands in its running sum."""
        total = self._sums.get((cell, part.stripe))
        return total is not None and part.contribution in total.of

    def total(self, cell: int, stripe: int, of: Iterable[Contribution]) -> Residues | None:
        """The sum of a stripe, uint64[ciphertexts, primes, degree], once it is that of exactly these contributions."""
        total = self._sums.get((cell, stripe))
        return total.residues if total is not None and total.of == set(of) else None

    def forget(self, cell: int, stripe: int) -> None:
        """Frees a sum that is not needed any more."""
        self._sums.pop((cell, stripe), None)

    def handle(self, event: Event, now: float) -> Effects:
        """Answers any of `EVENTS`; afterwards more parts may be here."""
        match event:
            case Fetched(fetch=Fetch(purpose="manifest")):
                return self._manifest(event, now)
            case Fetched():
                return [self._verify(event)]
            case FetchFailed(fetch=fetch):
                subject: Contribution | Part = fetch.subject
                return self._again(subject.contribution if isinstance(subject, Part) else subject, now)
            case JobDone():
                return self._verified(event)
            case JobFailed():
                return self._refused(event, now)
            case TimerFired():
                return self._refetch()
        raise AssertionError(f"a gatherer has not asked for {event}")

    def _start(self) -> Effects:
        effects: Effects = []
        while self._ready and len(self._busy) < WINDOW:
            contribution = self._ready.popleft()
            self._busy.add(contribution)
            effects.append(self._fetch(contribution))
        return effects

    def _fetch(self, contribution: Contribution) -> Fetch:
        manifest = self._manifests.get(contribution.manifest)
        if manifest is None:
            holders = self._holders(contribution, self._left[contribution][0])
            return Fetch("manifest", contribution, (contribution.manifest,), holders, ENVELOPE_MAX_BYTES)
        part = Part(contribution, self._left[contribution][0])
        span = indices(part.stripe, self._chunks)
        roots = manifest.chunk_roots[span.start : span.stop]
        return Fetch("ciphertexts", part, roots, self._holders(contribution, part.stripe), CHUNK_MAX_BYTES)

    def _holders(self, contribution: Contribution, stripe: int) -> tuple[PeerKey, ...]:
        """The contributor itself first: that spreads the load; others where it has gone."""
        if not self.anywhere:
            return (contribution.contributor,)
        aggregators = self._view.aggregators(self._height, self._cell(contribution), stripe)
        holders = (contribution.contributor, *aggregators, *self._view.committee)
        first = self._failures[contribution] % len(holders)
        return (*holders[first:], *holders[:first])

    def _cell(self, contribution: Contribution) -> int:
        cell = self._view.cell_of(contribution.contributor)
        assert cell is not None, "only contributions of cells are gathered"
        return cell

    def _manifest(self, event: Fetched, now: float) -> Effects:
        """A manifest whose contributor did not send it to this peer."""
        contribution: Contribution = event.fetch.subject
        (blob,) = event.blobs
        try:
            signed = open_manifest(blob, self._view, self._height, self._chunks)
        except RemoteError:
            return self._again(contribution, now)
        if (signed.signer, signed.digest) != (contribution.contributor, contribution.manifest):
            return self._again(contribution, now)
        assert isinstance(signed.message, Manifest)
        self.learn(signed.digest, signed.message)
        return [Store(((signed.digest, blob),)), *self._next(contribution)]

    def _verify(self, event: Fetched) -> Job:
        part: Part = event.fetch.subject
        first = indices(part.stripe, self._chunks).start
        arguments = (self._scheme, event.blobs, event.fetch.digests, first)
        return Job("verify", verify_ciphertexts, arguments, subject=event.fetch)

    def _verified(self, event: JobDone) -> Effects:
        fetch: Fetch = event.job.subject
        part: Part = fetch.subject
        verified: Verified = event.result
        place = self._cell(part.contribution), part.stripe
        if self._only is not None and part.contribution not in self._only:
            return self._next(part.contribution)
        if part.stripe in self._left.get(part.contribution, ()):
            self._left[part.contribution].remove(part.stripe)
        total = self._sums.get(place)
        if total is None:
            self._sums[place] = RunningSum(verified.residues, {part.contribution})
        elif part.contribution not in total.of:
            total.residues = self._scheme.add([total.residues, verified.residues])
            total.of.add(part.contribution)
        _, packed, roots, _ = event.job.arguments
        store: Effects = [Store(tuple(zip(roots, packed, strict=True)))] if self._keep else []
        return [*store, *self._next(part.contribution)]

    def _refused(self, event: JobFailed, now: float) -> Effects:
        """Bytes that are not what their digest promises: surely the contributor's fault if it served them itself."""
        fetch: Fetch = event.job.subject
        part: Part = fetch.subject
        if fetch.holders != (part.contribution.contributor,):
            return self._again(part.contribution, now)
        self._left.pop(part.contribution, None)
        self._busy.discard(part.contribution)
        reason = f"served ciphertexts that are not its manifest's: {event.error}"
        return [Blame(part.contribution.contributor, reason), *self._start()]

    def _next(self, contribution: Contribution) -> Effects:
        """Goes on with the same contribution, so that one after the other is complete."""
        self._busy.discard(contribution)
        if self._left.get(contribution):
            self._ready.appendleft(contribution)
        return self._start()

    def _again(self, contribution: Contribution, now: float) -> Effects:
        """Later and from another holder: the first may be silent or serve junk for ever. Others go on meanwhile."""
        self._busy.discard(contribution)
        self._lost.append(contribution)
        self._failures[contribution] += 1
        return [SetTimer("refetch", now + REFETCH_S), *self._start()]

    def _refetch(self) -> Effects:
        lost, self._lost = self._lost, []
        self._ready.extend(contribution for contribution in lost if self._left.get(contribution))
        return self._start()
