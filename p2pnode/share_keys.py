"""The committee's share-encryption keys: our own, made for one epoch and erased behind it, and the public ones."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Final, Protocol

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import Ports
from p2pnode.services import KEY_MAX_BYTES, KEYS, RESPONSE_MAX_BYTES, KeysRequest, KeysResponse
from protocols.effects import Journal
from protocols.encryption.sealing import EpochKeyPair
from protocols.errors import RemoteError
from protocols.hashing import tagged
from protocols.params import Params
from protocols.rounds.epoch import EpochKeys, EpochView
from protocols.types import Height, PeerKey, Secret
from protocols.updates.gossip import SUBNET
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import Signed, Signer, open_envelope
from protocols.wire.messages import EpochKey

KIND: Final = "epoch-key"
POLL_S: Final = 0.5
PULL_S: Final = 0.5
PULL_MAX_S: Final = 8.0
PULL_PATIENCE_S: Final = 5.0
EARLY_EPOCHS: Final = 2
EARLY_MAX: Final = 64


class Writer(Protocol):
    """Who journals."""

    def write(self, record: Journal) -> None: ...


class ShareKeys:
    """Keys of the epochs that are on. A member that restarts has lost its key, and makes one with a higher sequence."""

    def __init__(
        self,
        ports: Ports,
        me: PeerKey,
        sign: Signer,
        params: Params,
        writer: Writer,
        records: tuple[Journal, ...],
        views: Mapping[int, EpochView],
    ) -> None:
        self._ports, self._me, self._sign, self._params, self._writer = ports, me, sign, params, writer
        self._views = views
        self._sequences: dict[int, int] = {}
        for record in records:
            if record.kind == KIND:
                epoch = int.from_bytes(record.slot, "big")
                self._sequences[epoch] = self._sequences.get(epoch, 0) + 1
        self._own: dict[int, EpochKeyPair] = {}
        self._known: dict[int, EpochKeys] = {}
        self._signed: dict[int, dict[PeerKey, Signed]] = {}
        self._early: dict[tuple[int, PeerKey], Signed] = {}
        self._unpublished: list[Signed] = []
        self._news = trio.Event()  # a key of ours to publish, or an epoch whose keys are wanted
        self._pulls: dict[int, tuple[float, float]] = {}  # by epoch: when next, and how long to wait from then on
        ports.transport.serve(KEYS, self._serve)

    def open(self, view: EpochView) -> None:
        """Takes up an epoch, once; a member makes its key for it."""
        if view.epoch in self._known:
            return
        self._known[view.epoch] = EpochKeys(view)
        self._signed[view.epoch] = {}
        self._news.set()
        self._news = trio.Event()
        if self._params.scheme != "plaintext" and self._me in view.committee:
            self._make(view)
        for early in [self._early.pop(key) for key in list(self._early) if key[0] <= view.epoch]:
            self.accept(early)

    def accept(self, signed: Signed) -> None:
        """A member's key, by gossip or from a peer that we asked; kept a while if its epoch is still to come."""
        key = signed.message
        assert isinstance(key, EpochKey)
        known = self._known.get(key.epoch)
        if known is None:
            newest = max(self._known, default=-1)
            if newest < key.epoch <= newest + EARLY_EPOCHS and len(self._early) < EARLY_MAX:
                self._early[key.epoch, signed.signer] = signed
        elif known.accept(signed.signer, key):
            self._signed[key.epoch][signed.signer] = signed

    def public(self, epoch: int) -> dict[int, bytes]:
        """Member index -> public key, as known now."""
        known = self._known.get(epoch)
        return known.public if known is not None else {}

    def own(self, epoch: int) -> EpochKeyPair | None:
        """This node's key of an epoch, if it sits in its committee."""
        return self._own.get(epoch)

    def erase(self, before: float = math.inf) -> None:
        """Past epochs stay closed: our keys of them are erased; all, if none is named."""
        for epoch in [epoch for epoch in self._own if epoch < before]:
            self._own.pop(epoch).erase()

    def forget(self, before: int) -> None:
        """Nobody asks for the public keys of these epochs any more."""
        self.erase(before)
        for epoch in [epoch for epoch in self._known if epoch < before]:
            del self._known[epoch], self._signed[epoch]
            self._pulls.pop(epoch, None)

    async def run(self) -> None:
        """Publishes our keys."""
        while True:
            while self._unpublished:
                await self._ports.disk.commit()
                await self._ports.transport.publish(SUBNET, self._unpublished[0].encoded)
                del self._unpublished[0]
            await self._news.wait()

    async def pull(self) -> None:
        """Asks around for what gossip did not bring, often at first, then rarely: a member may be gone."""
        while True:
            missing = self._incomplete()
            for epoch in missing:
                now = self._ports.clock.now()
                due, pause = self._pulls.get(epoch, (now, PULL_S))
                if due <= now:
                    self._pulls[epoch] = now + pause, min(1.5 * pause, PULL_MAX_S)
                    await self._pull(epoch)
            if missing:
                await self._ports.clock.sleep_until(self._ports.clock.now() + POLL_S)
            else:
                await self._news.wait()

    def _incomplete(self) -> list[int]:
        """The epochs that are on and lack a member's key."""
        if self._params.scheme == "plaintext":
            return []
        return [epoch for epoch in sorted(self._known) if len(self.public(epoch)) < self._params.committee]

    def _make(self, view: EpochView) -> None:
        sequence = self._sequences.get(view.epoch, 0) + 1
        self._sequences[view.epoch] = sequence
        height = Height(view.heights[0])
        self._writer.write(Journal(KIND, height, view.epoch.to_bytes(4, "big"), sequence.to_bytes(2, "big")))
        pair = EpochKeyPair.generate(Secret(self._ports.entropy()))
        self._own[view.epoch] = pair
        key = EpochKey(view.chain_id, view.subnet, view.epoch, view.committee_root, sequence, pair.public)
        signed = self._sign(key)
        self.accept(signed)
        self._unpublished.append(signed)

    async def _pull(self, epoch: int) -> None:
        """Asks one connected peer, another each time."""
        now = int(self._ports.clock.now() / POLL_S)
        peers = sorted(self._ports.transport.connected(), key=lambda peer: tagged("pull", now, self._me, peer))
        if not peers:
            return
        request = encode(KeysRequest(epoch))
        with trio.move_on_after(PULL_PATIENCE_S), contextlib.suppress(Unreachable, RemoteError):  # another, next time
            answer = await self._ports.transport.request(peers[0], KEYS, request, max_bytes=RESPONSE_MAX_BYTES)
            for encoded in decode(answer, KeysResponse, RESPONSE_MAX_BYTES).keys:
                signed = open_envelope(encoded, KEY_MAX_BYTES)
                if isinstance(signed.message, EpochKey):
                    self.accept(signed)

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        epoch = decode(request, KeysRequest, 64).epoch
        known = self._signed.get(epoch, {})
        return encode(KeysResponse(tuple(known[peer].encoded for peer in sorted(known))))
