"""How a committee member opens one cell: see that it can be summed, get the sum, gather shares, interpolate, decode.

The sum comes from the cell's aggregators where they agree, else from this member's own addition (`summing`); what
nobody else vouches for this member verifies itself (`availability`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar, Final

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import accusation, evidence_of
from protocols.effects import Blame, Effects, Job, Observe, SetTimer, Store, Tell
from protocols.encryption.lanes import check_sum, unpack_sums
from protocols.encryption.one_time_key import SpoiledSumError
from protocols.encryption.packing import unpack_share
from protocols.encryption.scheme import Opened, PublicContext, Residues, Scheme, Share
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, JobDone, JobFailed, Received, Started
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.rounds.availability import Vouchers
from protocols.rounds.epoch import EpochView
from protocols.rounds.gatherer import EVENTS, JOBS, Gatherer, Part
from protocols.rounds.manifests import Manifests
from protocols.rounds.release import WrongShares, set_digest
from protocols.rounds.summing import CellSum
from protocols.told import Available, CellOpened, Certified
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.chunks import update_root
from protocols.updates.schema import UpdateSchema
from protocols.wire.envelope import Signed
from protocols.wire.messages import (
    Aggregate,
    Availability,
    CellResult,
    CellSet,
    Contribution,
    Manifest,
    Release,
    Submission,
)

UNPROVEN: Final = 2
"""So many times longer a member waits for more shares where those that are here do not prove a contributor's fault."""


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
    """One member, one cell, one round. Tells `CellOpened` once.

    Args:
        wrong: members whose shares were found wrong in the epoch; shared by the node's rounds.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Submission): "submission",
        (State.WAITING, Availability): "availability",
        (State.WAITING, "timer:vouchers"): "out_of_trust",
        (State.WAITING, Aggregate): "aggregate",
        (State.WAITING, Release): "release",
        (State.WAITING, Certified): "certified",
        (State.SUMMING, Submission): "submission",
        (State.SUMMING, Aggregate): "aggregate",
        (State.SUMMING, Release): "release",
        (State.SUMMING, "timer:replicas"): "add",
        (State.SUMMING, "fetched:sum"): "fetched_sum",
        (State.SUMMING, "unfetched:sum"): "add",
        (State.SUMMING, "done:verify-sum"): "verified_sum",
        (State.SUMMING, "failed:verify-sum"): "add",
        (State.OPENING, Aggregate): "aggregate",
        (State.OPENING, Release): "release",
        (State.OPENING, "timer:patience"): "out_of_patience",
        (State.TRYING, Aggregate): "aggregate",
        (State.TRYING, Release): "release",
        (State.DONE, Aggregate): "aggregate",  # what comes after the end can still be evidence
        (State.DONE, Release): "release",
        (State.TRYING, "done:open"): "opened",
        (State.TRYING, "failed:open"): "failed",
        **{
            (state, key): "sealed" if key == "done:seal" else "gathered"
            for state in (State.WAITING, State.SUMMING, State.OPENING, State.TRYING)
            for key in (*EVENTS, "done:seal")
        },
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started, *JOBS, "done:seal", "done:verify-sum", "failed:verify-sum"})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        cell: int,
        scheme: Scheme,
        schema: UpdateSchema,
        chunks: int,
        wrong: WrongShares | None = None,
    ) -> None:
        super().__init__(State.WAITING)
        self._wrong = wrong or WrongShares()
        self._view, self._height, self._cell = view, height, cell
        self._scheme, self._schema = scheme, schema
        self._manifests = Manifests(view, height, parent, chunks)
        self._gatherer = Gatherer(view, height, scheme, chunks, keep=True, anywhere=True)
        self._vouchers = Vouchers(view, height, cell, chunks)
        self._came: dict[Contribution, float] = {}
        self._available: frozenset[Digest] = frozenset()
        self._sum = CellSum(view, height, cell, scheme, chunks, self._gatherer)
        self._releases: dict[int, Share] = {}
        self._duties = view.duties(height, cell, chunks)
        self._announced: dict[PeerKey, Signed] = {}  # the first sum of each aggregator
        self._heard: dict[int, Signed] = {}  # the first release of each member
        self._early: dict[tuple[Key, PeerKey], Received] = {}  # what came before the certificate
        self._tried = 0
        self._patience_over = False
        self._set = CellSet(cell, ())
        self._sets = NO_DIGEST
        self._root = NO_DIGEST  # of the sum that is being opened
        self._began = 0.0

    # ------------------------------------------------------------------------------------------ what can be summed

    def submission(self, event: Received, now: float) -> Effects:
        assert isinstance(event.message, Submission)
        if self._view.cell_of(event.sender) != self._cell:
            return []  # the submissions of all cells come by here: no more than this look at each
        try:
            signed = self._manifests.accept(event.message, event.sender)
        except RemoteError:
            return []  # custody has blamed the sender for it
        assert isinstance(signed.message, Manifest)
        self._gatherer.learn(signed.digest, signed.message)
        store = Store(((signed.digest, event.message.manifest),))
        if self.state is not State.WAITING:
            return [store]
        waits = bool(self._came)
        self._came.setdefault(Contribution(signed.signer, signed.digest), now)
        return [store] if waits else [store, SetTimer("vouchers", now + self._trust_s)]

    def availability(self, event: Received, _: float) -> Effects:
        said = event.message
        assert isinstance(said, Availability)
        if said.cell != self._cell:
            return []
        if not self._vouchers.accept(event.sender, said.manifests):
            return [Blame(event.sender, f"is no aggregator of cell {self._cell}")]
        return self._tell_available()

    def out_of_trust(self, _: Event, now: float) -> Effects:
        """Looks itself at what the aggregators have had time to vouch for and have not."""
        due = [each for each, came in self._came.items() if came + self._trust_s <= now]
        asked = [self._gatherer.want(each, self._vouchers.lacking(each.manifest)) for each in due]
        effects = [effect for effects in asked for effect in effects]
        later = [came for each, came in self._came.items() if each not in due]
        return [*effects, SetTimer("vouchers", min(later) + self._trust_s)] if later else effects

    @property
    def _trust_s(self) -> float:
        return self._view.params.grace_s / 2

    def _tell_available(self) -> Effects:
        verified = {each.manifest: each for each in self._came}
        available = frozenset(
            manifest
            for manifest in self._vouchers.named().union(verified)
            if all(
                manifest in verified and self._gatherer.holds(Part(verified[manifest], stripe), self._cell)
                for stripe in self._vouchers.lacking(manifest)
            )
        )
        if available == self._available:
            return []
        self._available = available
        return [Tell(Available(self._cell, available))]

    def gathered(self, event: Event, now: float) -> Effects:
        effects = self._gatherer.handle(event, now)
        if self.state is State.WAITING:
            return [*effects, *self._tell_available()]
        return [*effects, *self._sum.proceed()] if self.state is State.SUMMING else effects

    # ----------------------------------------------------------------------------------------------------- the sum

    def aggregate(self, event: Received, _: float) -> Effects:
        aggregate = event.message
        assert isinstance(aggregate, Aggregate)
        if aggregate.cell != self._cell:
            return []
        if event.sender not in self._duties:
            return [Blame(event.sender, f"is no aggregator of cell {self._cell}")]
        evidence = evidence_of(self._announced.setdefault(event.sender, event.signed), event.signed)
        if evidence is not None:
            return accusation(self._height, evidence)
        if self.state is State.WAITING:
            self._early.setdefault((Aggregate, event.sender), event)
            return []
        if self.state is State.DONE:
            return []
        if aggregate.sets != self._sets:
            return [Blame(event.sender, "added another list than the certified one")]
        blames = self._sum.announce(event.signed)
        return [*blames, *self._sum.proceed()] if self.state is State.SUMMING else blames

    def certified(self, event: Certified, now: float) -> Effects:
        found = next((each for each in event.certificate.sets.cells if each.cell == self._cell), None)
        if found is None:
            self.state = State.DONE
            return []
        self.state, self._set, self._began = State.SUMMING, found, now
        self._sets = list_digest(event.certificate.sets)
        effects: Effects = [SetTimer("replicas", now + self._view.params.grace_s)]
        effects += self._sum.certify(found.contributions)
        early, self._early = list(self._early.values()), {}
        return [*effects, *(effect for each in early for effect in self.handle(each, now))]

    def add(self, _: Event, __: float) -> Effects:
        """Adds the rest itself: its aggregators disagree, are silent, or do not serve what they announced."""
        return [*self._sum.add_missing(), *self._sum.proceed()]

    def fetched_sum(self, event: Fetched, _: float) -> Effects:
        return self._sum.fetched(event)

    def verified_sum(self, event: JobDone, now: float) -> Effects:
        self._sum.verified(event)
        return self._try_sum(now)

    def sealed(self, event: JobDone, now: float) -> Effects:
        effects = self._sum.sealed(event)
        return [*effects, *self._try_sum(now)] if self.state is State.SUMMING else effects

    def _try_sum(self, now: float) -> Effects:
        if not self._sum.complete:
            return []
        self.state = State.OPENING
        phase = self._phase("aggregate", now)
        self._began = now
        return [phase, *self._try_open(now)]

    # -------------------------------------------------------------------------------------------------- the opening

    def release(self, event: Received, now: float) -> Effects:
        release, member = event.message, self._view.member_index(event.sender)
        assert isinstance(release, Release)
        if release.cell != self._cell:
            return []
        if member is None:
            return [Blame(event.sender, "releases but is not in the committee")]
        evidence = evidence_of(self._heard.setdefault(member, event.signed), event.signed)
        if evidence is not None:
            return accusation(self._height, evidence)
        if self.state is State.WAITING:
            self._early.setdefault((Release, event.sender), event)
            return []
        if self.state is State.DONE:
            return []
        if release.cell_set != set_digest(self._set):
            return [Blame(event.sender, "released for another set than the certified one")]
        if member in self._wrong.excluded(self._view):
            return []
        try:
            self._releases[member] = unpack_share(release.share)
        except RemoteError as error:
            return [Blame(event.sender, f"released bytes that are no share: {error}")]
        return self._try_open(now) if self.state is State.OPENING else []

    def opened(self, event: JobDone, now: float) -> Effects:
        opened: Opened = event.result
        self._wrong.note(self._view.epoch, opened.wrong)
        blames: Effects = [
            Blame(self._view.committee[member - 1], f"released a wrong share for cell {self._cell}")
            for member in opened.wrong
        ]
        key_digest = tagged("summed-key", opened.key)
        contributors = len(self._set.contributions)
        result = CellResult(self._cell, contributors, self._root, key_digest)
        names = [each.contributor.hex() for each in self._set.contributions]
        observe = Observe("opened", {"height": self._height, "cell": self._cell, "contributors": names})
        keep = Store(((key_digest, opened.key),))
        return [*blames, keep, observe, self._phase("open", now), self._done(CellOpened(result, opened.lanes))]

    def failed(self, event: JobFailed, now: float) -> Effects:
        """Liars can look like a spoiled cell until all honest shares are out: only then it counts nothing.

        Honest members are t at least, and theirs fit together. Where no more than t do, since the others are silent or
        lie, that is no proof; but then nothing is left to wait for once they have had time, and a spoiler with f silent
        members would else cost every round and never be found.
        """
        keyless = not self._scheme.needs_keys  # then there are no shares to wait for
        fits = keyless or isinstance(event.error, SpoiledSumError)
        spoiled = self._patience_over or (fits and (keyless or self._tried >= self._expected))
        if spoiled and not self._sum.adds_all:  # unless both aggregators lied: so far we took their word
            self.state, self._tried = State.SUMMING, 0
            return [*self._sum.distrust(), *self._sum.proceed()]
        if spoiled:
            void = CellResult(self._cell, 0, NO_DIGEST, NO_DIGEST)
            fields = {"height": self._height, "cell": self._cell, "reason": str(event.error)}
            return [Observe("spoiled", fields), self._done(CellOpened(void, None))]
        self.state = State.OPENING
        patience = self._view.params.grace_s * (1 if fits else UNPROVEN)
        return [SetTimer("patience", now + patience), *self._try_open(now)]

    @property
    def _expected(self) -> int:
        """Shares that can still be hoped for, with those that are here."""
        return len(self._view.committee) - len(self._wrong.excluded(self._view))

    def out_of_patience(self, _: Event, now: float) -> Effects:
        self._patience_over, self._tried = True, 0
        return self._try_open(now)

    def _try_open(self, _: float) -> Effects:
        needed = self._view.params.threshold if self._scheme.needs_keys else 0
        if len(self._releases) < max(needed, self._tried + 1) and self._scheme.needs_keys:
            return []  # nothing new since the last try
        self.state, self._tried, self._root = State.TRYING, len(self._releases), update_root(self._sum.roots)
        context = PublicContext(self._view.round_beacon(self._height), self._height, self._cell)
        contributors = len(self._set.contributions)
        arguments = (
            self._scheme,
            self._schema,
            self._sum.residues,
            context,
            dict(self._releases),
            needed,
            contributors,
        )
        return [Job("open", open_cell, arguments)]

    def _phase(self, name: str, now: float) -> Observe:
        return Observe("phase", {"height": self._height, "phase": name, "seconds": now - self._began})

    def _done(self, event: CellOpened) -> Tell:
        self.state = State.DONE
        self._releases.clear()
        return Tell(event)
