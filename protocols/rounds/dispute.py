"""A dispute about one share, decided by anybody from the dispute alone: the dealer lied, or the member that disputes.

What a member shows is the opening of its own share, which no other fits (protocols/encryption/sealing.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from protocols.effects import Blame, Effects, Journal, Send
from protocols.encryption.sealing import fits
from protocols.errors import MalformedError, RemoteError
from protocols.rounds.dealing import check_dealing, check_promised, read_share, share_context
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import open_manifest
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed, Signer, open_envelope
from protocols.wire.messages import Dispute, Manifest

KIND: Final = "dispute"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who was wrong: the dealer of `manifest`, or the member that signed the dispute; and why, for people."""

    culprit: PeerKey
    manifest: Digest
    reason: str


def judge(view: EpochView, height: Height, chunks: int, signed: Signed) -> Verdict:
    """Everybody comes to the same: a member that is right can always prove it, so one that cannot is wrong.

    Args:
        chunks: ciphertexts that an update of this task takes.

    Raises:
        MalformedError: its signer is no member of the committee, or there is no such manifest; the signer is to blame.
    """
    dispute, accuser = signed.message, signed.signer
    member = view.member_index(accuser)
    if not isinstance(dispute, Dispute) or member is None:
        raise MalformedError("disputes a share but is not in the committee", {accuser})
    try:
        dealt = open_manifest(dispute.manifest, view, height, chunks)
    except RemoteError as error:
        raise MalformedError(f"disputes a dealing that there is not: {error}", {accuser}) from error
    complaint = _false(view, dealt, member, dispute)
    if complaint is not None:
        return Verdict(accuser, dealt.digest, complaint)
    return Verdict(dealt.signer, dealt.digest, f"dealt member {member} a share that is not on its polynomials")


def _false(view: EpochView, dealt: Signed, member: int, dispute: Dispute) -> str | None:
    """Why the dispute is false; None if the dealer was wrong."""
    manifest, dealer = dealt.message, dealt.signer
    assert isinstance(manifest, Manifest)
    try:
        check_dealing(view, manifest, dealer)
        check_promised(manifest, dealer, member, dispute.sealed)
    except MalformedError as error:
        return f"disputes what no member opens: {error}"
    if not fits(dispute.opening, dispute.sealed, share_context(view, manifest, dealer, member)):
        return "disputes a share by an opening that does not fit it"
    try:
        read_share(view, manifest, dealer, member, dispute.sealed, dispute.opening)
    except MalformedError:
        return None
    return "disputes a share that is right"


class Disputes:
    """Those of one round, at one member: its own, journalled before anybody hears of them, and those of others.

    Args:
        journal: this height's records: what was disputed before a restart is neither opened again nor forgotten.
    """

    def __init__(
        self,
        view: EpochView,
        height: Height,
        chunks: int,
        me: PeerKey,
        sign: Signer,
        journal: Iterable[Journal] = (),
    ) -> None:
        self._view, self._height, self._chunks, self._me, self._sign = view, height, chunks, me, sign
        self._heard: Counter[PeerKey] = Counter()
        self._own: list[Signed] = []
        self.faulty: set[Digest] = set()
        """Manifests whose dealers were found out: nobody votes for them."""
        for record in (record for record in journal if record.kind == KIND):
            self._settle(open_envelope(record.payload))

    def resend(self) -> Effects:
        """After a restart: what was journalled may not have left. Sending it again is harmless."""
        return [Send(member, signed) for signed in self._own for member in self._view.committee]

    def open(self, manifest: Signed, sealed: bytes, opening: bytes) -> Effects:
        """Shows everybody this member's wrong share: of one manifest once."""
        if manifest.digest in self.faulty:
            return []
        signed = self._sign(Dispute(self._view.slot(self._height), manifest.encoded, sealed, opening))
        record = Journal(KIND, self._height, manifest.digest + self._me, signed.encoded)
        return [record, _blame(self._settle(signed)), *(Send(member, signed) for member in self._view.committee)]

    def hear(self, signed: Signed) -> Effects:
        """Another member's dispute: names whoever was wrong, and keeps the evidence.

        From each member as many are heard as there are dealers; after a false one, none.
        """
        accuser = signed.signer
        if accuser == self._me or self._heard[accuser] >= sum(map(len, self._view.cells)):
            return []
        self._heard[accuser] += 1
        try:
            verdict = self._settle(signed)
        except MalformedError as error:
            return [Blame(accuser, str(error))]
        record = Journal(KIND, self._height, verdict.manifest + accuser, signed.encoded)
        return [record, _blame(verdict)]

    def _settle(self, signed: Signed) -> Verdict:
        verdict = judge(self._view, self._height, self._chunks, signed)
        if verdict.culprit == signed.signer:
            self._heard[signed.signer] = sum(map(len, self._view.cells))
        else:
            self.faulty.add(verdict.manifest)
        if signed.signer == self._me:
            self._own.append(signed)
        return verdict


def _blame(verdict: Verdict) -> Blame:
    return Blame(verdict.culprit, verdict.reason)
