"""How a member comes by a cell's sum that it may trust: stripe by stripe, from aggregators that agree, or its own.

Two aggregators that announce the same stripe need one honest one among them. Where they differ, one is silent or the
sum is not served, the member adds the ciphertexts itself and knows who was wrong; so a wrong sum is never opened, and
validators need not be waited for.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from protocols.agreement.evidence import accusation, evidence_of
from protocols.effects import Blame, Effects, Fetch, Job, Store
from protocols.encryption.scheme import Residues, Scheme
from protocols.events import Fetched, JobDone
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, Summed, seal_sum, verify_ciphertexts
from protocols.rounds.cells import indices, stripes
from protocols.rounds.epoch import EpochView
from protocols.rounds.gatherer import Gatherer
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed
from protocols.wire.messages import Aggregate, Contribution

Roots = tuple[Digest, ...]


class Announced:
    """What the aggregators of one cell say of its sum, by stripe."""

    def __init__(self, view: EpochView, height: Height, cell: int, chunks: int) -> None:
        self._view, self._height, self._cell, self._chunks = view, height, cell, chunks
        self._roots: dict[int, dict[PeerKey, Roots]] = {stripe: {} for stripe in stripes(chunks)}
        self._said: dict[PeerKey, Signed] = {}
        self._duties = view.duties(height, cell, chunks)

    def accept(self, signed: Signed) -> Effects:
        """Notes an announcement, or blames its signer for what is wrong with it; two of them are evidence."""
        aggregate, sender = signed.message, signed.signer
        assert isinstance(aggregate, Aggregate)
        if sender not in self._duties:
            return [Blame(sender, f"is no aggregator of cell {self._cell}")]
        spans = [indices(stripe, self._chunks) for stripe in self._duties[sender]]
        if aggregate.stripes != self._duties[sender] or len(aggregate.chunk_roots) != sum(map(len, spans)):
            return [Blame(sender, f"announced other stripes of cell {self._cell} than its own")]
        evidence = evidence_of(self._said.setdefault(sender, signed), signed)
        if evidence is not None:
            return accusation(self._height, evidence)
        roots = iter(aggregate.chunk_roots)
        for stripe, span in zip(aggregate.stripes, spans, strict=True):
            self._roots[stripe][sender] = tuple(next(roots) for _ in span)
        return []

    def agreed(self, stripe: int) -> Roots | None:
        """The roots that both aggregators of a stripe announced."""
        said = list(self._roots[stripe].values())
        complete = len(said) == len(self._view.aggregators(self._height, self._cell, stripe))
        return said[0] if complete and len(set(said)) == 1 else None

    def by(self, stripe: int) -> tuple[PeerKey, ...]:
        """Who announced a stripe, the quickest first."""
        return tuple(self._roots[stripe])

    def disputed(self, stripe: int) -> bool:
        """Whether the aggregators of a stripe announced different sums."""
        return len(set(self._roots[stripe].values())) > 1

    def wrong(self, stripe: int, right: Roots) -> dict[PeerKey, int]:
        """Whose announcement of a stripe is not the right one, and in which chunk first."""
        first = indices(stripe, self._chunks).start
        pairs = {peer: zip(said, right, strict=True) for peer, said in self._roots[stripe].items() if said != right}
        return {
            peer: first + next(offset for offset, (one, other) in enumerate(each) if one != other)
            for peer, each in pairs.items()
        }


class CellSum:
    """The sum of one cell over its certified set, in the hands of one member.

    Attributes:
        own: stripes that this member added itself.
    """

    def __init__(
        self, view: EpochView, height: Height, cell: int, scheme: Scheme, chunks: int, gatherer: Gatherer
    ) -> None:
        self._view, self._height, self._cell = view, height, cell
        self._scheme, self._chunks, self._gatherer = scheme, chunks, gatherer
        self._announced = Announced(view, height, cell, chunks)
        self._set: tuple[Contribution, ...] = ()
        self._asked: set[int] = set()  # stripes whose announced sum is fetched
        self._adding: set[int] = set()  # stripes that this member adds itself
        self._sealing: set[int] = set()
        self._parts: dict[int, tuple[Residues, Roots]] = {}
        self.own: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether every stripe is here."""
        return len(self._parts) == len(stripes(self._chunks))

    @property
    def adds_all(self) -> bool:
        """Whether nobody else's word is in it."""
        return len(self.own) == len(stripes(self._chunks))

    @property
    def roots(self) -> Roots:
        """The digests of all summed ciphertexts."""
        return tuple(root for stripe in sorted(self._parts) for root in self._parts[stripe][1])

    @property
    def residues(self) -> Residues:
        """The whole sum, uint64[ciphertexts, primes, degree]."""
        parts = [self._parts[stripe][0] for stripe in sorted(self._parts)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def certify(self, contributions: Iterable[Contribution]) -> Effects:
        """The set stands: takes what is announced by both, or was gathered here already."""
        self._set = tuple(contributions)
        self._gatherer.restrict(self._set)
        return self.proceed()

    def announce(self, signed: Signed) -> Effects:
        """An aggregator's announcement; blamed if it is not its part, or known to be wrong."""
        refused, aggregate = self._announced.accept(signed), signed.message
        if refused:
            return refused
        assert isinstance(aggregate, Aggregate)
        return [
            blame
            for stripe in aggregate.stripes
            if stripe in self.own
            for blame in self._verdicts(stripe, {signed.signer})
        ]

    def proceed(self) -> Effects:
        """Whatever can be done now: seal own sums, fetch agreed ones, add disputed ones."""
        effects: Effects = []
        for stripe in stripes(self._chunks):
            total = self._gatherer.total(self._cell, stripe, self._set)
            if total is not None and stripe not in self.own and stripe not in self._sealing:
                self._sealing.add(stripe)
                first = indices(stripe, self._chunks).start
                effects.append(Job("seal", seal_sum, (self._scheme, total, first), subject=stripe))
            if total is not None or stripe in self._parts or stripe in self._asked or stripe in self._adding:
                continue
            agreed = self._announced.agreed(stripe)
            if agreed is not None:
                self._asked.add(stripe)
                effects.append(Fetch("sum", stripe, agreed, self._announced.by(stripe), CHUNK_MAX_BYTES))
            elif self._announced.disputed(stripe):
                effects += self.add([stripe])
        return effects

    def add_missing(self) -> Effects:
        """Adds every stripe that is not here yet."""
        return self.add(stripe for stripe in stripes(self._chunks) if stripe not in self._parts)

    def distrust(self) -> Effects:
        """Adds every stripe that this member took from others."""
        self._parts = {stripe: part for stripe, part in self._parts.items() if stripe in self.own}
        return self.add_missing()

    def add(self, wanted: Iterable[int]) -> Effects:
        """Adds these stripes itself."""
        new = [stripe for stripe in wanted if stripe not in self._adding]
        self._adding.update(new)
        asked = [self._gatherer.want(contribution, new) for contribution in self._set]
        return [effect for effects in asked for effect in effects]

    def fetched(self, event: Fetched) -> Effects:
        """An agreed sum arrived, to be verified."""
        stripe: int = event.fetch.subject
        first = indices(stripe, self._chunks).start
        arguments = (self._scheme, event.blobs, event.fetch.digests, first)
        return [Job("verify-sum", verify_ciphertexts, arguments, subject=event.fetch)]

    def verified(self, event: JobDone) -> None:
        """An agreed sum is what its digests promise."""
        fetch: Fetch = event.job.subject
        self._parts.setdefault(fetch.subject, (event.result.residues, fetch.digests))

    def sealed(self, event: JobDone) -> Effects:
        """A sum of this member's own, which it serves; now it knows who was wrong."""
        summed: Summed = event.result
        stripe: int = event.job.subject
        self.own.add(stripe)
        self._parts[stripe] = summed.residues, summed.roots
        self._gatherer.forget(self._cell, stripe)
        return [Store(tuple(zip(summed.roots, summed.packed, strict=True))), *self._verdicts(stripe)]

    def _verdicts(self, stripe: int, only: Iterable[PeerKey] = ()) -> Effects:
        wrong = self._announced.wrong(stripe, self._parts[stripe][1])
        return [
            Blame(aggregator, f"wrong sum of cell {self._cell}, chunk {chunk}")
            for aggregator, chunk in wrong.items()
            if not only or aggregator in only
        ]
