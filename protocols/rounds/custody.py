"""A committee member's custody of key shares: hold them, say so, and release only their sum for the certified set."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
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
from protocols.rounds.dealing import WrongShareError, check_dealing, marks, open_share
from protocols.rounds.dispute import Disputes
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import Manifests, refusal
from protocols.rounds.release import ReleaseRule, set_digest
from protocols.rounds.seen import SeenDealings, Taken
from protocols.told import Available, CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed, Signer
from protocols.wire.messages import CellSet, Contribution, Dispute, Manifest, Receipt, Release, Submission

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
        seen: the dealings that this member took in the epoch, likewise.
        journal: this height's records.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.COLLECTING, Submission): "submission",
        (State.COMPLETE, Submission): "submission",
        (State.RELEASED, Submission): "late_submission",
        (State.COLLECTING, Available): "available",
        (State.COMPLETE, Available): "available",
        (State.COLLECTING, "timer:grace"): "complete",
        (State.COLLECTING, "timer:submit"): "complete",
        (State.COLLECTING, Dispute): "dispute",
        (State.COMPLETE, Dispute): "dispute",
        (State.RELEASED, Dispute): "dispute",
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
        seen: SeenDealings,
        journal: Iterable[Journal] = (),
    ) -> None:
        super().__init__(State.IDLE)
        index = view.member_index(me)
        assert index is not None, "only committee members hold shares"
        self._view, self._height, self._me, self._index = view, height, me, index
        self._sign, self._scheme, self._key, self._rule, self._seen = sign, scheme, key, rule, seen
        self._manifests = Manifests(view, height, parent, chunks)
        self._disputes = Disputes(view, height, chunks, me, sign, journal)
        self._shares: dict[Contribution, Share] = {}
        self._available: dict[int, frozenset[Digest]] = dict.fromkeys(range(len(view.cells)), frozenset())
        self._began = self._last_release = 0.0
        self._in_grace = False

    def start(self, _: Event, now: float) -> Effects:
        self.state, self._began = State.COLLECTING, now
        params = self._view.params
        self._last_release = now + params.submit_s + params.agree_s + params.open_s - params.grace_s
        return [SetTimer("submit", now + params.submit_s), *self._disputes.resend()]

    def submission(self, event: Received, now: float) -> Effects:
        submission = event.message
        assert isinstance(submission, Submission)
        try:
            signed = self._manifests.accept(submission, event.sender)
        except RemoteError as error:
            return refusal(error, event.sender, self._height)
        return self._take(signed, submission.sealed, now)

    def late_submission(self, event: Received, _: float) -> Effects:
        """Nothing more is taken; but a second manifest is evidence whenever it comes."""
        assert isinstance(event.message, Submission)
        return self._manifests.compare(event.message, event.sender)

    def available(self, event: Available, now: float) -> Effects:
        self._available[event.cell] = event.manifests
        return self._changed(now)

    def dispute(self, event: Received, now: float) -> Effects:
        """A dealing whose dealer is found out is voted for no more; where a certificate names it, its share serves."""
        before = len(self._disputes.faulty)
        effects = self._disputes.hear(event.signed)
        if self.state is State.RELEASED or len(self._disputes.faulty) == before:
            return effects
        return [*effects, *self._changed(now)]

    def complete(self, _: Event, now: float) -> Effects:
        self.state = State.COMPLETE
        phase = {"height": self._height, "phase": "submit", "seconds": now - self._began}
        return [*self._seen.record(self._height), Tell(Ready(self._held(), final=True)), Observe("phase", phase)]

    def release(self, event: Certified, now: float) -> Effects:
        """The sums of the certified sets, unless it is so late that contributors may take the round for abandoned.

        Who abandons a round without having seen that it was certified may send the same update again
        (docs/decisions/0008), and then two sums of it would be opened.
        """
        self.state = State.RELEASED
        if not self._scheme.needs_keys:
            return []
        if now > self._last_release:
            self.erase()
            fields = {"height": self._height, "reason": "the certificate came when the round was all but over"}
            return [Observe("release-refused", fields)]
        effects: Effects = []
        for cell_set in event.certificate.sets.cells:
            effects += self._release_cell(cell_set)
        self.erase()  # what was not released never will be
        return effects

    def erase(self) -> None:
        for share in self._shares.values():
            share.fill(0)
        self._shares.clear()

    def _take(self, signed: Signed, sealed: bytes, now: float) -> Effects:
        """Checks a dealing and opens this member's share of it, once; answers with a receipt each time."""
        contribution = Contribution(signed.signer, signed.digest)
        if contribution not in self._shares:
            if signed.digest in self._disputes.faulty:
                return []
            refused = self._check_public(signed)
            if refused or (self._scheme.needs_keys and (self._key is None or self._key.erased or not sealed)):
                return refused
            try:
                self._shares[contribution] = self._open(signed, sealed)
            except WrongShareError as error:
                return self._disputes.open(signed, sealed, error.opening)
            except RemoteError as error:
                fields = {"height": self._height, "dealer": signed.signer.hex(), "reason": str(error)}
                return [Observe("share-refused", fields)]
        receipt = Receipt(self._view.slot(self._height), signed.digest, HOLDS_SHARE)
        journal = self._seen.record(self._height) if self.state is State.COMPLETE else []
        return [*journal, Send(signed.signer, self._sign(receipt)), *self._changed(now)]

    def _check_public(self, signed: Signed) -> Effects:
        """Blames the dealer for what everybody can see in its manifest."""
        manifest = signed.message
        assert isinstance(manifest, Manifest)
        try:
            if self._scheme.needs_keys:
                check_dealing(self._view, manifest, signed.signer)
        except RemoteError as error:
            return [Blame(signed.signer, f"dealing refused: {error}")]
        return []

    def _open(self, signed: Signed, sealed: bytes) -> Share:
        """Raises RemoteError if the share is missing, wrong, or of a dealing that repeats an earlier one."""
        manifest = signed.message
        assert isinstance(manifest, Manifest)
        if not self._scheme.needs_keys or self._key is None:
            return np.zeros(0, np.uint32)
        share = open_share(self._view, manifest, signed.signer, self._index, self._key, sealed)
        self._seen.take(self._height, Taken(signed.digest, marks(manifest)))
        return share

    def _held(self) -> dict[int, frozenset[Contribution]]:
        """By cell: contributions whose share is here and whose ciphertexts can be had."""
        held: dict[int, set[Contribution]] = {cell: set() for cell in self._available}
        for contribution in self._shares:
            if contribution.manifest in self._disputes.faulty:
                continue
            cell = self._view.cell_of(contribution.contributor)
            if cell is not None and contribution.manifest in self._available[cell]:
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
