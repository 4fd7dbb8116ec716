"""What arrives: decoded, verified, bound to its slot, and handed to the round that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from p2pnode.driver import LEDGER, Driver, Observer, Team
from p2pnode.ports import Incoming, Ports
from p2pnode.share_keys import ShareKeys
from protocols.checkpoints.machine import Ledger
from protocols.errors import RemoteError
from protocols.events import Received
from protocols.params import Params
from protocols.rounds.epoch import EpochView
from protocols.types import PeerKey, Verdict
from protocols.updates.gossip import PROOF, SUBNET, judge
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import AddressRecord, EpochKey, HeaderCertificate, Manifest, Slot, slot_of

EARLY_ROUNDS: Final = 2
EARLY_PER_PEER: Final = 64
EARLY_MAX: Final = 20_000


class Inbound:
    """The way in. Messages for a round that has not begun here are kept, within bounds, until it does."""

    def __init__(
        self,
        ports: Ports,
        driver: Driver,
        keys: ShareKeys,
        views: Mapping[int, EpochView],
        ledger: Ledger,
        params: Params,
        observe: Observer,
    ) -> None:
        self._ports, self._driver, self._keys, self._views = ports, driver, keys, views
        self._ledger, self._params, self._observe = ledger, params, observe
        self._early: dict[int, dict[PeerKey, list[Signed]]] = {}

    async def subscribe(self) -> None:
        """Joins the subnet's topic; the proof topic too, where this node has the validator's part to play."""
        for topic in (SUBNET, PROOF):
            await self._ports.transport.subscribe(topic, partial(self._judge, topic))

    async def run(self) -> None:
        """Takes messages for ever; what is malformed is refused and attributed, never raised."""
        while True:
            incoming = await self._ports.transport.receive()
            try:
                self._take(incoming)
            except RemoteError as error:
                fields = {"kind": "message", "culprit": incoming.sender.hex(), "reason": str(error)}
                self._observe("refused", fields)

    def begun(self, team: Team) -> None:
        """A round has begun here: what came early for it is delivered, what is older is forgotten."""
        for signed in [each for sent in self._early.pop(team.height, {}).values() for each in sent]:
            self._deliver(team, signed, signed.signer)
        for height in [height for height in self._early if height < team.height]:
            del self._early[height]

    def _judge(self, topic: str, origin: PeerKey, payload: bytes) -> Verdict:
        verdict, signed = judge(topic, origin, payload, self._views.get)
        if (
            verdict is Verdict.IGNORE
            and signed is not None
            and isinstance(signed.message, EpochKey | HeaderCertificate)
        ):
            self._route(signed, origin)  # not ours to forward yet, but of use to us
        return verdict

    def _take(self, incoming: Incoming) -> None:
        self._route(open_envelope(incoming.payload), incoming.sender)

    def _route(self, signed: Signed, sender: PeerKey) -> None:
        message = signed.message
        if isinstance(message, EpochKey):
            self._keys.accept(signed)
            return
        if isinstance(message, AddressRecord | Manifest):
            raise RemoteError(f"a {type(message).__name__} does not travel alone", {sender})
        if isinstance(message, HeaderCertificate):
            self._driver.post(self._driver.teams[LEDGER], Received(signed))
        slot = slot_of(message)
        assert slot is not None
        team = self._driver.teams.get(slot.height)
        if team is not None:
            self._deliver(team, signed, sender)
        elif slot.height >= self._ledger.height:
            self._keep(slot, signed, sender)

    def _deliver(self, team: Team, signed: Signed, sender: PeerKey) -> None:
        slot = slot_of(signed.message)
        view = self._views.get(self._params.epoch(team.height))
        if view is None or slot != view.slot(team.height):
            self._observe("refused", {"kind": "slot", "culprit": sender.hex(), "reason": "bound to another slot"})
            return
        self._driver.post(team, Received(signed))

    def _keep(self, slot: Slot, signed: Signed, sender: PeerKey) -> None:
        """Early messages of the next rounds only, and only so many from one peer: strangers cannot fill our memory."""
        if slot.height > self._ledger.height + EARLY_ROUNDS or sender not in self._known_peers(slot):
            return
        kept = self._early.setdefault(slot.height, {}).setdefault(sender, [])
        if len(kept) < EARLY_PER_PEER:
            kept.append(signed)

    def _known_peers(self, slot: Slot) -> frozenset[PeerKey]:
        """Who may speak in this slot's epoch; anybody connected while its epoch is not settled here."""
        view = self._views.get(slot.epoch)
        if view is None:
            return self._ports.transport.connected()
        return frozenset({*view.committee, *(peer for cell in view.cells for peer in cell)})
