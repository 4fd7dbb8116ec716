"""What arrives: decoded, verified, bound to its slot, and handed to the round that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from p2pnode.driver import INBOUND_MAX, LEDGER, Driver, Team
from p2pnode.ports import Incoming, Ports
from p2pnode.share_keys import ShareKeys
from p2pnode.supervision import Observer
from protocols.checkpoints.machine import Ledger
from protocols.errors import RemoteError
from protocols.events import Received, Spoke
from protocols.params import Params
from protocols.rounds.epoch import EpochView
from protocols.types import PeerKey, Verdict
from protocols.updates.gossip import PROOF, SUBNET, judge
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import AddressRecord, EpochKey, HeaderCertificate, Manifest, Slot, slot_of

EARLY_ROUNDS: Final = 2
EARLY_PER_PEER: Final = 64
EARLY_MAX: Final = INBOUND_MAX // 2
"""Of all peers together: what is delivered at once when a round begins must find room in the queue."""
EARLY_PEER_BYTES: Final = 2 << 20
EARLY_BYTES: Final = 128 << 20


class EarlyMail:
    """Messages for rounds that have not begun here: so many of a peer for a round, and so many bytes of all together.

    Strangers cannot fill our memory; many of them together can take the room that is shared.
    """

    def __init__(self) -> None:
        self._kept: dict[int, dict[PeerKey, list[Signed]]] = {}
        self.bytes = self.messages = 0

    def keep(self, height: int, sender: PeerKey, signed: Signed) -> bool:
        """Whether there was room for it."""
        kept = self._kept.get(height, {}).get(sender, [])
        size = len(signed.encoded)
        of_peer = sum(len(each.encoded) for each in kept)
        if len(kept) >= EARLY_PER_PEER or of_peer + size > EARLY_PEER_BYTES or self.bytes + size > EARLY_BYTES:
            return False
        if self.messages >= EARLY_MAX:
            return False
        self.messages += 1
        self._kept.setdefault(height, {}).setdefault(sender, []).append(signed)
        self.bytes += size
        return True

    def take(self, height: int) -> list[tuple[PeerKey, Signed]]:
        """What came for a round, in order for each sender; older mail is forgotten."""
        for old in [each for each in self._kept if each < height]:
            self._drop(old)
        return [(sender, signed) for sender, sent in self._drop(height).items() for signed in sent]

    def _drop(self, height: int) -> dict[PeerKey, list[Signed]]:
        dropped = self._kept.pop(height, {})
        self.messages -= sum(map(len, dropped.values()))
        self.bytes -= sum(len(signed.encoded) for sent in dropped.values() for signed in sent)
        return dropped


class Inbound:
    """The way in: whoever sends faster than this node works waits, and what is malformed goes no further."""

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
        self._early = EarlyMail()

    async def subscribe(self) -> None:
        """Joins the topic that everybody follows."""
        await self._ports.transport.subscribe(SUBNET, partial(self._judge, SUBNET))

    async def follow_proofs(self) -> None:
        """Joins the topic of proofs if this node is a member or validator of an epoch that is on, else leaves it.

        It carries messages of every cell: what it costs grows with the crowd, so only few follow it.
        """
        me = self._ports.transport.peer
        if any(me in view.committee or me in view.validators for view in self._views.values()):
            await self._ports.transport.subscribe(PROOF, partial(self._judge, PROOF))
        else:
            await self._ports.transport.unsubscribe(PROOF)

    async def run(self) -> None:
        """Takes messages for ever; what is malformed is refused and attributed, never raised."""
        while True:
            incoming = await self._ports.transport.receive()
            await self._driver.room()
            try:
                self._take(incoming)
            except RemoteError as error:
                self._refuse("message", incoming.sender, str(error))

    def begun(self, team: Team) -> None:
        """A round has begun here: what came early for it is delivered."""
        for sender, signed in self._early.take(team.height):
            self._deliver(team, signed, sender)

    def _judge(self, topic: str, origin: PeerKey, payload: bytes) -> Verdict:
        verdict, signed = judge(topic, origin, payload, self._views.get)
        if (
            verdict is Verdict.IGNORE
            and signed is not None
            and isinstance(signed.message, EpochKey | HeaderCertificate)
            and self._driver.backlog < INBOUND_MAX
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
            raise RemoteError(f"{type(message).__name__} messages do not travel alone", {sender})
        if isinstance(message, HeaderCertificate):
            self._driver.post(self._driver.teams[LEDGER], Received(signed))
        slot = slot_of(message)
        assert slot is not None
        self._tell_ledger(signed, slot)
        team = self._driver.teams.get(slot.height)
        if team is not None:
            self._deliver(team, signed, sender)
        elif slot.height >= self._ledger.height:
            self._keep(slot, signed, sender)

    def _tell_ledger(self, signed: Signed, slot: Slot) -> None:
        """A committee that speaks in a later round than ours may have left us behind."""
        view = self._views.get(slot.epoch)
        if slot.height > self._ledger.height and view is not None and signed.signer in view.committee:
            self._driver.post(self._driver.teams[LEDGER], Spoke(signed.signer, slot))

    def _deliver(self, team: Team, signed: Signed, sender: PeerKey) -> None:
        slot = slot_of(signed.message)
        view = self._views.get(self._params.epoch(team.height))
        if view is None or slot != view.slot(team.height):
            self._refuse("slot", sender, f"a {type(signed.message).__name__} bound to another slot")
            return
        if signed.signer not in view.participants:
            self._refuse("stranger", signed.signer, f"a {type(signed.message).__name__} from who has no part in it")
            return
        self._driver.post(team, Received(signed))

    def _keep(self, slot: Slot, signed: Signed, sender: PeerKey) -> None:
        """Messages of the next rounds, from who may speak in them; from anybody while their epoch is not settled."""
        if slot.height > self._ledger.height + EARLY_ROUNDS:
            return  # somebody is far ahead of us: the newest header brings us there, not its rounds' messages
        view = self._views.get(self._params.epoch(slot.height))
        if view is not None and not (sender in view.committee or view.cell_of(sender) is not None):
            self._refuse("early", sender, "has no part in that round")
        elif not self._early.keep(slot.height, sender, signed):
            self._refuse("early", sender, "sends too much before the round begins")

    def _refuse(self, kind: str, culprit: PeerKey, reason: str) -> None:
        self._observe("refused", {"kind": kind, "culprit": culprit.hex(), "reason": reason})
