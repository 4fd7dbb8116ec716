"""A committee member's custody of key shares: hold them, say so, and release only their sum for the certified set."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from protocols.effects import Blame, Effects, Journal, Observe, Send, SetTimer, Tell
from protocols.encryption.packing import pack_share
from protocols.encryption.scheme import Scheme, Share
from protocols.encryption.sealing import EpochKeyPair
from protocols.encryption.sharing import add_shares
from protocols.errors import RemoteError
from protocols.events import Event, Received, Started
from protocols.machine import Key, Machine
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import Manifests, StaleError
from protocols.rounds.release import ReleaseRule, set_digest
from protocols.rounds.sealing import open_share
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signer
from protocols.wire.messages import Availability, CellSet, Contribution, Manifest, Receipt, Release, Submission

HOLDS_SHARE: Final = 1
HOLDS_CIPHERTEXTS: Final = 2


class State(enum.Enum):
    """Where a member's custody stands."""

    IDLE = enum.auto()
    COLLECTING = enum.auto()
    COMPLETE = enum.auto()  # waits for no more contributions, but still takes them
    RELEASED = enum.auto()


class Custody(Machine[State]):
    """One committee member, one round.

    Args:
        key: this member's epoch key; None for the plaintext comparison.
        rule: this member's release rule, restored from its journal.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.COLLECTING, Submission): "submission",
        (State.COMPLETE, Submission): "submission",
        (State.COLLECTING, Availability): "availability",
        (State.COMPLETE, Availability): "availability",
        (State.COLLECTING, "timer:grace"): "complete",
        (State.COLLECTING, "timer:submit"): "complete",
        (State.COLLECTING, Certified): "release",
        (State.COMPLETE, Certified): "release",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Ready, Certified, CellOpened, Shortfall})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        me: PeerKey,
        sign: Signer,
        scheme: Scheme,
        chunks: int,
        key: EpochKeyPair | None,
        rule: ReleaseRule,
    ) -> None:
        super().__init__(State.IDLE)
        index = view.member_index(me)
        assert index is not None, "only committee members hold shares"
        self._view, self._height, self._me, self._index = view, height, me, index
        self._sign, self._scheme, self._key, self._rule = sign, scheme, key, rule
        self._manifests = Manifests(view, height, parent, chunks)
        self._shares: dict[Contribution, Share] = {}
        self._available: dict[int, dict[PeerKey, frozenset[Digest]]] = {cell: {} for cell in range(len(view.cells))}
        self._began = 0.0
        self._in_grace = False

    def start(self, _: Event, now: float) -> Effects:
        self.state, self._began = State.COLLECTING, now
        return [SetTimer("submit", now + self._view.params.submit_s)]

    def submission(self, event: Received, now: float) -> Effects:
        submission = event.message
        assert isinstance(submission, Submission)
        try:
            signed = self._manifests.accept(submission)
            manifest = signed.message
            assert isinstance(manifest, Manifest)
        except StaleError as error:
            return [Observe("stale", {"height": self._height, "peer": event.sender.hex(), "reason": str(error)})]
        except RemoteError as error:
            return [Blame(event.sender, f"submission refused: {error}")]
        try:
            share = self._open(manifest, signed.signer, submission.sealed)
        except RemoteError as error:
            # Nobody is named: it may be another member's share, forwarded, or sealed to a key that our restart lost.
            fields = {"height": self._height, "dealer": signed.signer.hex(), "reason": str(error)}
            return [Observe("share-refused", fields)]
        if share is None:
            return []
        self._shares[Contribution(signed.signer, signed.digest)] = share
        receipt = Receipt(self._view.slot(self._height), signed.digest, HOLDS_SHARE)
        return [Send(signed.signer, self._sign(receipt)), *self._changed(now)]

    def availability(self, event: Received, now: float) -> Effects:
        said = event.message
        assert isinstance(said, Availability)
        if said.cell >= len(self._view.cells) or event.sender not in self._view.aggregators(self._height, said.cell):
            return [Blame(event.sender, f"is no aggregator of cell {said.cell}")]
        self._available[said.cell][event.sender] = frozenset(said.manifests)
        return self._changed(now)

    def complete(self, _: Event, now: float) -> Effects:
        self.state = State.COMPLETE
        phase = {"height": self._height, "phase": "submit", "seconds": now - self._began}
        return [Tell(Ready(self._held(), final=True)), Observe("phase", phase)]

    def release(self, event: Certified, _: float) -> Effects:
        self.state = State.RELEASED
        if not self._scheme.needs_keys:
            return []
        effects: Effects = []
        for cell_set in event.certificate.sets.cells:
            effects += self._release_cell(cell_set)
        self._shares.clear()  # what was not released never will be
        return effects

    def _open(self, manifest: Manifest, dealer: PeerKey, sealed: bytes) -> Share | None:
        if not self._scheme.needs_keys:
            return np.zeros(0, np.uint32)
        if self._key is None or not sealed:
            return None
        return open_share(self._view, manifest, dealer, self._index, self._key, sealed)

    def _held(self) -> dict[int, frozenset[Contribution]]:
        """By cell: contributions whose share is here and whose ciphertexts an aggregator has verified."""
        held: dict[int, set[Contribution]] = {cell: set() for cell in self._available}
        for contribution in self._shares:
            cell = self._view.cell_of(contribution.contributor)
            if cell is not None and any(contribution.manifest in said for said in self._available[cell].values()):
                held[cell].add(contribution)
        return {cell: frozenset(contributions) for cell, contributions in held.items()}

    def _changed(self, now: float) -> Effects:
        held = self._held()
        if self.state is State.COMPLETE:
            return [Tell(Ready(held, final=True))]
        if all(len(held[cell]) == len(members) for cell, members in enumerate(self._view.cells)):
            return self.complete(Started(), now)
        if not self._in_grace and all(len(held[cell]) >= self._view.cell_quorum(cell) for cell in held):
            self._in_grace = True
            return [Tell(Ready(held, final=False)), SetTimer("grace", now + self._view.params.grace_s)]
        return [Tell(Ready(held, final=False))]

    def _release_cell(self, cell_set: CellSet) -> Effects:
        if not self._view.admits(cell_set):
            return [Observe("release-refused", {"cell": cell_set.cell, "reason": "no such set is ever opened"})]
        missing = [each for each in cell_set.contributions if each not in self._shares]
        if missing:
            return [Observe("release-skipped", {"cell": cell_set.cell, "missing": len(missing)})]
        try:
            journal: Journal = self._rule.permit(self._height, cell_set)
        except RemoteError as error:
            return [Observe("release-refused", {"cell": cell_set.cell, "reason": str(error)})]
        share = add_shares([self._shares[each] for each in cell_set.contributions])
        slot = self._view.slot(self._height)
        signed = self._sign(Release(slot, cell_set.cell, set_digest(cell_set), pack_share(share)))
        return [journal, *(Send(member, signed) for member in self._view.committee)]
