"""The ledger: which checkpoint this node stands on, which round comes next, and how it catches up.

A certified header always wins: it is applied even if this node had abandoned that round. Abandoning is local and costs
nothing, since the parameters stay what they were. So that nodes which abandoned rounds at other times meet again, one
of them follows f + 1 = n - t + 1 committee members, of whom one is honest, to the height in which they speak.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

from protocols.agreement.certificate import check_header
from protocols.effects import (
    Adopt,
    AskHeads,
    BeginRound,
    Blame,
    Differ,
    Effects,
    Fetch,
    Finish,
    Head,
    Journal,
    NeedEpoch,
    Observe,
    SetTimer,
    Step,
)
from protocols.errors import RemoteError
from protocols.events import EpochKnown, Event, Fetched, FetchFailed, Received, Spoke, Started, StepFailed, Stepped
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.params import Params
from protocols.rounds.epoch import EpochView
from protocols.told import Shortfall
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.pieces import blob_digest
from protocols.wire import codec
from protocols.wire.messages import ENVELOPE_MAX_BYTES, Header, HeaderCertificate

KIND = "head"
ABANDONED = "abandoned"
RETRY_S = 1.0
FOLLOW_S = 5.0
"""Seconds after which a node follows others to a higher height: before that, a header may bring it there."""
LAST_ASKS = 6
LAST_ASK_S = 5.0
"""A node that abandons the run's last round asks so often, so many seconds apart, whether others completed it."""
MODEL_MAX_BYTES = 1 << 30
UNCHECKED_MAX = 16
"""Epochs not known yet whose headers are kept: anybody can write one, so there must be an end."""


def header_digest(header: Header) -> Digest:
    """How children, anchors and attestations name a header."""
    return tagged("header", codec.encode(header))


class State(enum.Enum):
    """What a node's ledger is doing."""

    WAITING = enum.auto()  # for the chain to settle an epoch
    RUNNING = enum.auto()  # a round is on
    APPLYING = enum.auto()  # a certified header
    LINGERING = enum.auto()  # the last round was abandoned: its header may still come
    FINISHED = enum.auto()


class Ledger(Machine[State]):
    """One for the life of a node.

    Args:
        lanes: of an update, which bounds a total's size.
        head: where to begin: genesis, or what the journal says.
        height: the round to begin with, if rounds behind the head were abandoned before a restart.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Started): "start",
        (State.WAITING, EpochKnown): "epoch",
        (State.RUNNING, EpochKnown): "epoch",
        (State.APPLYING, EpochKnown): "epoch",
        (State.LINGERING, EpochKnown): "epoch",
        (State.FINISHED, EpochKnown): "epoch",
        (State.WAITING, HeaderCertificate): "certificate",
        (State.RUNNING, HeaderCertificate): "certificate",
        (State.APPLYING, HeaderCertificate): "certificate",
        (State.LINGERING, HeaderCertificate): "certificate",
        (State.WAITING, Spoke): "spoke",
        (State.RUNNING, Spoke): "spoke",
        (State.APPLYING, Spoke): "spoke",
        (State.WAITING, "timer:follow"): "follow",
        (State.RUNNING, "timer:follow"): "follow",
        (State.APPLYING, "timer:follow"): "follow",
        (State.LINGERING, "timer:last"): "linger",
        (State.RUNNING, Shortfall): "shortfall",
        (State.RUNNING, "timer:round"): "abandon",
        (State.APPLYING, "fetched:total"): "total",
        (State.APPLYING, "unfetched:total"): "missing",
        (State.APPLYING, "fetched:model"): "model",
        (State.APPLYING, "unfetched:model"): "missing",
        (State.APPLYING, "timer:retry"): "retry",
        (State.APPLYING, Stepped): "stepped",
        (State.APPLYING, StepFailed): "step_failed",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Shortfall, Stepped, StepFailed, Spoke})

    def __init__(self, params: Params, me: PeerKey, lanes: int, head: Head, height: int = 0) -> None:
        super().__init__(State.WAITING)
        self.head = head
        self.height = max(head.next_height, height)
        self._params, self._me, self._lanes = params, me, lanes
        self._views: dict[int, EpochView] = {}
        self._wanted: HeaderCertificate | None = None  # the newest certified header that is not applied yet
        self._signers: tuple[PeerKey, ...] = ()  # of the wanted header: they have what it names
        self._unchecked: dict[int, HeaderCertificate] = {}  # by epoch whose view is not known yet
        self._spoken: dict[int, dict[PeerKey, int]] = {}  # by epoch and member: the highest height it spoke in
        self._following = False
        self._last_asks = 0
        self._reason = ""
        self._began = 0.0
        self._applying_since = 0.0
        self._attempt = 0

    def start(self, _: Event, now: float) -> Effects:
        self._began = now
        return [AskHeads(), *self._next(now)]

    def epoch(self, event: EpochKnown, now: float) -> Effects:
        self._views[event.view.epoch] = event.view
        for old in [epoch for epoch in self._views if epoch < event.view.epoch - 2]:
            del self._views[old]
            self._spoken.pop(old, None)
        waiting = self._unchecked.pop(event.view.epoch, None)
        effects = self._consider(waiting, None, now) if waiting is not None else []
        return [*effects, *self._next(now)] if self.state is State.WAITING else effects

    def certificate(self, event: Received, now: float) -> Effects:
        assert isinstance(event.message, HeaderCertificate)
        return self._consider(event.message, event.sender, now)

    def shortfall(self, event: Shortfall, _: float) -> Effects:
        self._reason = event.reason
        return []

    def abandon(self, _: Event, now: float) -> Effects:
        """The deadline passed without a certified header: the parameters stay, the next round begins."""
        reason = self._reason or "no certified result by the deadline"
        observe = Observe("abandoned", {"height": self.height, "reason": reason})
        return [observe, *self._go_to(self.height + 1), *self._next(now)]

    def spoke(self, event: Spoke, now: float) -> Effects:
        """A member of a committee has signed a message of a later round than ours: perhaps we are late."""
        slot, view = event.slot, self._views.get(event.slot.epoch)
        if view is None or slot.height not in view.heights or slot != view.slot(slot.height):
            return []
        if event.member not in view.committee:
            return []
        spoken = self._spoken.setdefault(view.epoch, {})
        spoken[event.member] = max(slot.height, spoken.get(event.member, 0))
        if self._following or self._others_height() <= self.height:
            return []
        self._following = True
        return [AskHeads(), SetTimer("follow", now + FOLLOW_S)]

    def follow(self, _: Event, now: float) -> Effects:
        """No header brought us on: the others have abandoned rounds in which we still are."""
        if self.state is State.APPLYING:
            return [SetTimer("follow", now + FOLLOW_S)]
        self._following = False
        height = self._others_height()
        if height <= self.height:
            return []
        fields = {"height": self.height, "reason": f"others are in round {height}"}
        return [Observe("abandoned", fields), *self._go_to(height), *self._next(now)]

    def linger(self, _: Event, now: float) -> Effects:
        """Whoever completed the last round may tell us so; not for ever."""
        self._last_asks += 1
        if self._last_asks > LAST_ASKS:
            self.state = State.FINISHED
            return [Finish(self.head)]
        return [AskHeads(), SetTimer("last", now + LAST_ASK_S)]

    def total(self, event: Fetched, now: float) -> Effects:
        (blob,) = event.blobs
        if self._wanted is None or blob_digest(blob) != self._wanted.header.total:
            return self.missing(event, now)
        return [Step(self.head.header, blob)]

    def stepped(self, event: Stepped, now: float) -> Effects:
        """The parameters must be the certified ones; where they are not, this machine computes differently."""
        assert self._wanted is not None
        if self._wanted.header.parent != self.head.header:
            return self._apply(now)  # a newer header arrived meanwhile: this step was towards the one before
        if event.params_digest == self._wanted.header.params_digest:
            return self._applied(None, now)
        differ = Differ(self._wanted.header, "step")
        return [differ, *self._diverged("our outer step gives other parameters than the certified")]

    def step_failed(self, event: StepFailed, _: float) -> Effects:
        return self._diverged(event.reason)

    def model(self, event: Fetched, now: float) -> Effects:
        (blob,) = event.blobs
        if self._wanted is None or blob_digest(blob) != self._wanted.header.params_digest:
            return self.missing(event, now)
        return self._applied(blob, now)

    def missing(self, _: Fetched | FetchFailed, now: float) -> Effects:
        self._attempt += 1
        return [SetTimer("retry", now + RETRY_S)]

    def retry(self, _: Event, now: float) -> Effects:
        assert self._wanted is not None
        if self._attempt >= 3 or self._wanted.header.parent != self.head.header:
            return [AskHeads(), self._fetch("model", self._wanted.header.params_digest, MODEL_MAX_BYTES)]
        return self._apply(now)

    def _consider(self, certificate: HeaderCertificate, sender: PeerKey | None, now: float) -> Effects:
        header = certificate.header
        height, epoch = header.slot.height, header.slot.epoch
        newest = self._wanted.header.slot.height if self._wanted is not None else self.head.next_height - 1
        if height <= newest or epoch != self._params.epoch(height):
            return []
        view = self._views.get(epoch)
        if view is None:
            if len(self._unchecked) >= UNCHECKED_MAX and epoch not in self._unchecked:
                farthest = max(self._unchecked)
                if epoch > farthest:
                    return []
                del self._unchecked[farthest]  # forgers can name any epoch; the nearest are the likeliest
            self._unchecked[epoch] = certificate
            return [NeedEpoch(epoch)]
        try:
            check_header(certificate, view)
        except RemoteError as error:
            return [Blame(sender, f"header refused: {error}")] if sender is not None else []
        self._wanted = certificate
        self._signers = tuple(view.committee[vote.member - 1] for vote in certificate.votes)
        return self._apply(now) if self.state is not State.APPLYING else []

    def _apply(self, now: float) -> Effects:
        """By the outer step where the header follows ours, else by loading the whole model."""
        assert self._wanted is not None
        header = self._wanted.header
        if self.state is not State.APPLYING:
            self.state, self._attempt, self._applying_since = State.APPLYING, 0, now
        if header.parent == self.head.header and header.total == NO_DIGEST:  # no cell counted: the parameters stay
            if header.params_digest == self.head.params:
                return self._applied(None, now)
            return [Differ(header, "step"), *self._diverged("no cell counted, yet the parameters moved")]
        if header.parent == self.head.header:
            return [self._fetch("total", header.total, 4 + 4 * self._lanes)]
        return [self._fetch("model", header.params_digest, MODEL_MAX_BYTES)]

    def _fetch(self, purpose: str, digest: Digest, max_bytes: int) -> Fetch:
        """From the members who signed, in an order of our own and another at each try: the load spreads over them."""
        ranked = sorted(self._signers, key=lambda peer: tagged("holder", digest, self._me, self._attempt, peer))
        return Fetch(purpose, None, (digest,), tuple(ranked), max_bytes)

    def _diverged(self, reason: str) -> Effects:
        assert self._wanted is not None
        wanted = self._wanted.header
        fields = {"height": wanted.slot.height, "reason": reason}
        return [Observe("diverged", fields), self._fetch("model", wanted.params_digest, MODEL_MAX_BYTES)]

    def _applied(self, model: bytes | None, now: float) -> Effects:
        assert self._wanted is not None
        certificate, header = self._wanted, self._wanted.header
        height = header.slot.height
        self.head = Head(height + 1, header_digest(header), header.params_digest, certificate)
        self.height, self._wanted, self.state = height + 1, None, State.WAITING
        epsilon = None if header.epsilon_micro is None else header.epsilon_micro / 1e6
        fields = {
            "height": height,
            "params_digest": header.params_digest.hex(),
            "seconds": now - self._began,
            "epsilon": epsilon,
        }
        phase = {"height": height, "phase": "apply", "seconds": now - self._applying_since}
        return [
            Adopt(self.head, model),
            Journal(KIND, Height(height), b"", codec.encode(certificate)),
            Observe("phase", phase),
            Observe("applied", fields),
            *self._next(now),
        ]

    def _go_to(self, height: int) -> Effects:
        """Gives up all rounds below; a restart does not go back to them."""
        self.height = height
        return [Journal(ABANDONED, Height(height - 1), b"", b""), AskHeads()]

    def _others_height(self) -> int:
        """The highest height in which more members of its committee spoke than may lie."""
        reached = [0]
        for epoch, spoken in self._spoken.items():
            view = self._views[epoch]
            heights = sorted(spoken.values(), reverse=True)
            reached += heights[len(view.committee) - view.params.threshold :][:1]
        return max(reached)

    def _next(self, now: float) -> Effects:
        """Begins the next round, asks for its epoch, or ends the run."""
        final = self._params.final_height
        if final and self.height >= final and self.head.next_height < final:
            self.state, self._last_asks = State.LINGERING, 0
            return [SetTimer("last", now + LAST_ASK_S)]
        if final and self.height >= final:
            self.state = State.FINISHED
            return [Finish(self.head)]
        epoch = self._params.epoch(self.height)
        if epoch not in self._views:
            self.state = State.WAITING
            return [NeedEpoch(epoch)]
        self.state, self._reason, self._began = State.RUNNING, "", now
        deadline = now + self._params.submit_s + self._params.agree_s + self._params.open_s
        return [BeginRound(Height(self.height), self.head), SetTimer("round", deadline)]


def genesis(params_digest: Digest) -> Head:
    """The head before the first round: the parameters that every peer initialises by itself."""
    return Head(0, NO_DIGEST, params_digest)


def certified_headers(records: tuple[Journal, ...]) -> list[Header]:
    """The headers that this node applied before its restart, oldest first; the newest 64 of them."""
    heads = [record.payload for record in records if record.kind == KIND][-64:]
    return [codec.decode(payload, HeaderCertificate, ENVELOPE_MAX_BYTES).header for payload in heads]


def restore(records: tuple[Journal, ...], beginning: Head) -> Head:
    """The head that a journal ends with."""
    heads = [record for record in records if record.kind == KIND]
    if not heads:
        return beginning
    certificate = codec.decode(heads[-1].payload, HeaderCertificate, ENVELOPE_MAX_BYTES)
    header = certificate.header
    return Head(header.slot.height + 1, header_digest(header), header.params_digest, certificate)


def restore_height(records: tuple[Journal, ...]) -> int:
    """The round that a journal ends in: the one behind the last that was applied or abandoned, whichever came later."""
    ended = [record.height for record in records if record.kind in (KIND, ABANDONED)]
    return ended[-1] + 1 if ended else 0
