"""The committee's share-encryption keys: our own, made for one epoch and erased behind it, and the public ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from p2pnode.errors import Unreachable
from p2pnode.ports import Ports
from p2pnode.services import KEYS, RESPONSE_MAX_BYTES, KeysRequest, KeysResponse
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
PULL_S: Final = 0.5


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
        ports.transport.serve(KEYS, self._serve)

    def open(self, view: EpochView) -> None:
        """Takes up an epoch; a member makes its key for it."""
        self._known[view.epoch] = EpochKeys(view)
        self._signed[view.epoch] = {}
        if self._params.scheme != "plaintext" and self._me in view.committee:
            self._make(view)
        for epoch, sender in [key for key in self._early if key[0] <= view.epoch]:
            self.accept(self._early.pop((epoch, sender)))

    def accept(self, signed: Signed) -> None:
        """A member's key, by gossip or from a peer that we asked; kept a while if its epoch is still to come."""
        key = signed.message
        assert isinstance(key, EpochKey)
        known = self._known.get(key.epoch)
        if known is None:
            if len(self._early) < 64:
                self._early[key.epoch, signed.signer] = signed
        elif known.accept(signed.signer, key):
            self._signed[key.epoch][signed.signer] = signed

    def public(self, epoch: int) -> dict[int, bytes]:
        """Member index -> X25519 public key, as known now."""
        known = self._known.get(epoch)
        return known.public if known is not None else {}

    def own(self, epoch: int) -> EpochKeyPair | None:
        """This node's key of an epoch, if it sits in its committee."""
        return self._own.get(epoch)

    def erase(self, before: int) -> None:
        """Past epochs stay closed: their keys are erased."""
        for epoch in [epoch for epoch in self._known if epoch < before]:
            del self._known[epoch], self._signed[epoch]
            if epoch in self._own:
                self._own.pop(epoch).erase()

    async def run(self) -> None:
        """Publishes our keys, and asks around for what gossip did not bring."""
        while True:
            unpublished, self._unpublished = self._unpublished, []
            for signed in unpublished:
                await self._ports.transport.publish(SUBNET, signed.encoded)
            for epoch in sorted(self._known):
                if self._params.scheme != "plaintext" and len(self.public(epoch)) < self._params.committee:
                    await self._pull(epoch)
            await self._ports.clock.sleep_until(self._ports.clock.now() + PULL_S)

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
        now = int(self._ports.clock.now() / PULL_S)
        peers = sorted(self._ports.transport.connected(), key=lambda peer: tagged("pull", now, self._me, peer))
        if not peers:
            return
        try:
            request = encode(KeysRequest(epoch))
            answer = await self._ports.transport.request(peers[0], KEYS, request, max_bytes=RESPONSE_MAX_BYTES)
            for encoded in decode(answer, KeysResponse, RESPONSE_MAX_BYTES).keys:
                signed = open_envelope(encoded, 1024)
                if isinstance(signed.message, EpochKey):
                    self.accept(signed)
        except (Unreachable, RemoteError):
            return  # another peer, next time

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        epoch = decode(request, KeysRequest, 64).epoch
        known = self._signed.get(epoch, {})
        return encode(KeysResponse(tuple(known[peer].encoded for peer in sorted(known))))
