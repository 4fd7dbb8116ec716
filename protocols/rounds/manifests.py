"""What a received manifest must satisfy before anybody works on it; custody, aggregators and validators agree on it."""

from __future__ import annotations

from protocols.agreement.evidence import Evidence, accusation, evidence_of
from protocols.effects import Blame, Effects, Observe
from protocols.errors import MalformedError, RemoteError
from protocols.rounds.epoch import EpochView
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import Manifest, Submission


def open_manifest(submission: Submission | bytes, view: EpochView, height: Height, chunks: int) -> Signed:
    """The signed manifest in a submission (or in its encoded envelope), checked against its slot and signer.

    Args:
        chunks: ciphertexts that an update of this task takes.

    Raises:
        MalformedError: no manifest, another slot, a signer outside the cell, or a wrong number of ciphertexts.
    """
    signed = open_envelope(submission.manifest if isinstance(submission, Submission) else submission)
    manifest, dealer = signed.message, signed.signer
    if not isinstance(manifest, Manifest) or manifest.slot != view.slot(height):
        raise MalformedError("not a manifest of this round", {dealer})
    if view.cell_of(dealer) != manifest.cell:
        raise MalformedError(f"its signer is not in cell {manifest.cell}", {dealer})
    if len(manifest.chunk_roots) != chunks:
        raise MalformedError(f"{len(manifest.chunk_roots)} ciphertexts where an update takes {chunks}", {dealer})
    return signed


class DoubledError(MalformedError):
    """Two manifests of one contributor for one slot: the evidence proves it to anybody."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence.reason, {evidence.culprit})
        self.evidence = evidence


class StaleError(RemoteError):
    """A manifest that was trained from another head: its signer is late or ahead, not at fault."""


class Manifests:
    """The first manifest of each contributor in one round; a second, different one is evidence."""

    def __init__(self, view: EpochView, height: Height, parent: Digest, chunks: int) -> None:
        self._view, self._height, self._parent, self._chunks = view, height, parent, chunks
        self._by_dealer: dict[bytes, Signed] = {}
        self._by_digest: dict[Digest, Signed] = {}

    def accept(self, submission: Submission | bytes, sender: PeerKey) -> Signed:
        """Checks and remembers a manifest; its contributor itself must have sent it.

        Raises:
            MalformedError: see `open_manifest`; also another's.
            DoubledError: a second one for the slot.
            StaleError: trained from another parent.
        """
        signed = open_manifest(submission, self._view, self._height, self._chunks)
        if signed.signer != sender:
            raise MalformedError("submits another peer's manifest", {sender})
        manifest = signed.message
        assert isinstance(manifest, Manifest)
        # first of all, whatever heads they start from: a contributor journals the one that it signs for a slot
        evidence = evidence_of(self._by_dealer.setdefault(signed.signer, signed), signed)
        if evidence is not None:
            raise DoubledError(evidence)
        if manifest.parent != self._parent:
            raise StaleError("the update was not trained from this round's head")
        self._by_digest[signed.digest] = signed
        return signed

    def compare(self, submission: Submission, sender: PeerKey) -> Effects:
        """What follows from a submission of which nothing more is used: what is wrong with it, or nothing."""
        try:
            self.accept(submission, sender)
        except RemoteError as error:
            return refusal(error, sender, self._height)
        return []

    def named(self, digest: Digest) -> Manifest | None:
        """The manifest of this digest, if known."""
        signed = self._by_digest.get(digest)
        message = signed.message if signed else None
        return message if isinstance(message, Manifest) else None

    def encoded(self, digest: Digest) -> bytes:
        """Its envelope, as it travelled."""
        return self._by_digest[digest].encoded


def refusal(error: RemoteError, sender: PeerKey, height: Height) -> Effects:
    """What follows from a refused submission: a late one is noticed, a false one blamed, a second one proven."""
    if isinstance(error, StaleError):
        return [Observe("stale", {"height": height, "peer": sender.hex(), "reason": str(error)})]
    if isinstance(error, DoubledError):
        return accusation(height, error.evidence)
    return [Blame(sender, f"submission refused: {error}")]
