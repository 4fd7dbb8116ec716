"""A data provider's part of a round: train, encrypt under a fresh key, journal, submit. Its update leaves only so."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocols.effects import Effects, Job, Journal, Observe, Send, SetTimer, Store, Train
from protocols.encryption.layout import Layout, uniform
from protocols.encryption.scheme import Lanes, PublicContext, Scheme
from protocols.events import Event, JobDone, Received, Started, Trained
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.rounds.dealing import Dealt, deal_key, sealed_digest
from protocols.rounds.epoch import EpochView
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height, PeerKey, Secret
from protocols.updates.chunks import update_root
from protocols.wire import codec
from protocols.wire.envelope import Signer, open_envelope
from protocols.wire.messages import SEALED_MAX_BYTES, Manifest, Receipt, Submission

KIND = "manifest"
SPENT = "spent"
NO_TAG_KEY = Secret(b"")
KEY_WAIT_S = 0.25
KEY_PATIENCE_S = 2.0
FIRST_PATIENCE = 1 / 6
"""Of `submit_s`, in an epoch's first round: its keys are on their way, and who lacks one deals that member no share."""


class State(enum.Enum):
    """Where a contributor stands."""

    IDLE = enum.auto()
    TRAINING = enum.auto()
    TRAINED = enum.auto()  # waits for the committee's keys
    ENCRYPTING = enum.auto()
    SUBMITTED = enum.auto()
    SAT_OUT = enum.auto()  # the very same update was certified before


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What leaves of an update."""

    chunks: tuple[tuple[Digest, bytes], ...]
    dealt: Dealt


@dataclass(frozen=True, slots=True)
class Journalled:
    """What is resent after a crash, byte for byte; the seed is never written down."""

    manifest: Annotated[bytes, codec.Size(1, 512 * 1024)]
    sealed: Annotated[tuple[Annotated[bytes, codec.Size(0, SEALED_MAX_BYTES)], ...], codec.Size(0, 16)]


def encrypt_update(
    scheme: Scheme,
    view: EpochView,
    height: int,
    cell: int,
    dealer: PeerKey,
    lanes: Lanes,
    seed: Secret,
    keys: Mapping[int, bytes],
    layout: Layout | None = None,
) -> Encrypted:
    """The job: ciphertexts of the update, block by block, and the key's shares, sealed to members with a known key."""
    context = PublicContext(view.round_beacon(height), height, cell)
    layout = layout or uniform(lanes.size)
    chunks: list[tuple[Digest, bytes]] = []
    for indices in layout.blocks():
        residues = scheme.encrypt(lanes, seed, context, layout, indices)
        chunks += zip(scheme.roots(residues, indices.start), scheme.pack(residues), strict=True)
    root = update_root([root for root, _ in chunks])
    return Encrypted(tuple(chunks), deal_key(scheme, view, height, cell, dealer, root, seed, keys))


class Contribution(Machine[State]):
    """One contributor, one round.

    Args:
        parent: digest of the head that the update starts from.
        keys: the live view of the committee's keys.
        entropy: 32 fresh bytes; they serve this one update.
        journal: this height's records: a manifest among them is resent, never made again.
        spent: tags of the updates of this peer that were certified; the same one goes into no other sum.
        layout: how the update's lanes sit in ciphertexts; without one they all have 16 bits.
        tag_key: this peer's own secret for such tags: without it a tag says nothing of the update.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.TRAINING, Trained): "trained",
        (State.TRAINED, "timer:keys"): "encrypt",
        (State.ENCRYPTING, "done:encrypt"): "submit",
        (State.SUBMITTED, Receipt): "receipt",
        (State.SUBMITTED, Certified): "certified",
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
        keys: Callable[[], Mapping[int, bytes]],
        entropy: bytes,
        journal: Iterable[Journal] = (),
        spent: Collection[bytes] = (),
        tag_key: Secret = NO_TAG_KEY,
        layout: Layout | None = None,
    ) -> None:
        super().__init__(State.IDLE)
        cell = view.cell_of(me)
        assert cell is not None, "only members of a cell contribute"
        self._view, self._height, self._parent, self._cell = view, height, parent, cell
        self._me, self._sign, self._scheme, self._keys = me, sign, scheme, keys
        self._seed: Secret | None = Secret(entropy)
        self._journalled = next((record for record in journal if record.kind == KIND), None)
        self._layout = layout
        self._spent, self._tag_key = spent, tag_key
        self._tag = self._journalled.slot if self._journalled is not None else b""
        self._manifest: Digest | None = None
        self._lanes: Lanes | None = None
        self._began = 0.0
        self._trained_at = 0.0
        self.receipts: dict[tuple[PeerKey, int], Digest] = {}

    def start(self, _: Event, now: float) -> Effects:
        self._began = now
        if self._journalled is not None:
            self.state, self._seed = State.SUBMITTED, None
            record = codec.decode(self._journalled.payload, Journalled, 1 << 20)
            return self._sends(record)
        self.state = State.TRAINING
        members = len(self._view.cells[self._cell])
        return [Train(self._parent, self._height, members, self._view.cell_quorum(self._cell))]

    def trained(self, event: Trained, now: float) -> Effects:
        self._tag = tagged("spent-update", self._tag_key.reveal(), event.digest)
        if self._tag in self._spent:
            self.state = State.SAT_OUT
            reason = "the very same update was certified before; two sums that differ by a peer would show it"
            return [Observe("sat-out", {"height": self._height, "reason": reason})]
        self.state, self._lanes, self._trained_at = State.TRAINED, event.lanes, now
        return [self._phase("train", now), *self.encrypt(event, now)]

    def encrypt(self, _: Event, now: float) -> Effects:
        keys = self._keys()
        if self._scheme.needs_keys and not self._enough(keys, now):
            return [SetTimer("keys", now + KEY_WAIT_S)]
        self.state, self._began = State.ENCRYPTING, now
        lanes, seed, self._lanes, self._seed = self._lanes, self._seed, None, None  # once: a seed serves one update
        place = (self._view, self._height, self._cell, self._me)
        return [Job("encrypt", encrypt_update, (self._scheme, *place, lanes, seed, dict(keys), self._layout))]

    def submit(self, event: JobDone, now: float) -> Effects:
        encrypted: Encrypted = event.result
        roots, dealt = tuple(root for root, _ in encrypted.chunks), encrypted.dealt
        shares = tuple(map(sealed_digest, dealt.sealed))
        manifest = Manifest(self._view.slot(self._height), self._cell, self._parent, roots, shares, dealt.dealing)
        record = Journalled(self._sign(manifest).encoded, dealt.sealed)
        self.state = State.SUBMITTED
        journal = Journal(KIND, self._height, self._tag, codec.encode(record))
        return [Store(encrypted.chunks, durable=True), journal, self._phase("encrypt", now), *self._sends(record)]

    def certified(self, event: Certified, _: float) -> Effects:
        """Once it is certified, the update counts as opened, whatever becomes of the round."""
        named = {each.manifest for cell in event.certificate.sets.cells for each in cell.contributions}
        return [Journal(SPENT, self._height, b"", self._tag)] if self._manifest in named else []

    def receipt(self, event: Received, _: float) -> Effects:
        receipt = event.message
        assert isinstance(receipt, Receipt)
        self.receipts[event.sender, receipt.holds] = receipt.manifest
        return []

    def _enough(self, keys: Mapping[int, bytes], now: float) -> bool:
        """All members' keys, or after some patience those of a quorum: who has no key can release nothing."""
        first = self._height == self._view.heights[0]
        patience = max(KEY_PATIENCE_S, FIRST_PATIENCE * self._view.params.submit_s if first else 0.0)
        patient = now < self._trained_at + patience
        return len(keys) >= (len(self._view.committee) if patient else self._view.params.threshold)

    def _sends(self, record: Journalled) -> Effects:
        slot = self._view.slot(self._height)
        sealed = dict(zip(self._view.committee, record.sealed, strict=False))
        manifest = open_envelope(record.manifest)
        self._manifest = manifest.digest
        assert isinstance(manifest.message, Manifest)
        aggregators = self._view.duties(self._height, self._cell, len(manifest.message.chunk_roots))
        receivers = {**dict.fromkeys(aggregators, b""), **sealed}
        if not self._scheme.needs_keys:
            receivers |= dict.fromkeys(self._view.committee, b"")
        sends = [Send(to, self._sign(Submission(slot, record.manifest, share))) for to, share in receivers.items()]
        return [*sends, Observe("submitted", {"height": self._height, "manifest": manifest.digest.hex()})]

    def _phase(self, name: str, now: float) -> Observe:
        return Observe("phase", {"height": self._height, "phase": name, "seconds": now - self._began})
