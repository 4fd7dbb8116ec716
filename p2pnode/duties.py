"""What a node owes the chain: to anchor certified headers as a committee member, to attest as a validator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Chain, Clock
from p2pnode.supervision import Observer
from protocols.checkpoints.machine import header_digest
from protocols.effects import Anchor
from protocols.params import Params
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import Header

POLL_S: Final = 0.5
POLL_MAX_S: Final = 8.0
PATIENCE_S: Final = 120.0
"""How long a duty waits for what it stands on (a parent, a proposal, the chain) before it gives up and says so."""
PARENT_PATIENCE_S: Final = 15.0
"""How long it leaves a missing parent to those whose duty that is, before it proposes the parent too."""
HEADERS_MAX: Final = 64


class Duties:
    """Performs duties one by one as the chain allows; each ends done, moot, or with a reason that is shown."""

    def __init__(self, chain: Chain, clock: Clock, observe: Observer, params: Params) -> None:
        self._chain, self._clock, self._observe, self._params = chain, clock, observe, params
        self._headers: OrderedDict[Digest, Header] = OrderedDict()
        self._refused: set[Digest] = set()
        self.open = 0
        """Duties under way."""

    def remember(self, header: Header) -> None:
        """A certified header: should its own committee fail to anchor it, its children need it on the chain."""
        self._headers[header_digest(header)] = header
        while len(self._headers) > HEADERS_MAX:
            self._headers.popitem(last=False)

    async def anchor(self, duty: Anchor) -> None:
        """Proposes a header once its parent stands, unless another member has."""
        header = duty.header
        self.remember(header)
        with self._under_way():
            await self._clock.sleep_until(self._clock.now() + duty.delay_s)
            alone_at = self._clock.now() + PARENT_PATIENCE_S
            await self._until_done("anchor", header, lambda: self._try_anchor(header, alone_at))

    async def attest(self, header: Header) -> None:
        """Attests a header once it is proposed as what it is; those between anchors are attested with the next."""
        self.remember(header)
        if not self._params.anchored(header.slot.height):
            return
        with self._under_way():
            await self._until_done("attest", header, lambda: self._try_attest(header))

    def lineage(self, record: AnchorRecord, records: Sequence[AnchorRecord]) -> tuple[Header, ...] | None:
        """The certified rounds that a checkpoint closes, above the one on which it builds.

        Empty if it is not the certified one of its height; None if this node cannot tell.
        """
        header = self._headers.get(record.header_digest)
        if header is None or header.slot.height != record.height:
            known = header is not None or any(each.slot.height == record.height for each in self._headers.values())
            return () if known else None
        parent, rounds = self._parent_key(header, records), [header]
        if parent is None:
            return None
        while (below := self._headers.get(rounds[0].parent)) and not self._params.anchored(below.slot.height):
            rounds.insert(0, below)
        return tuple(rounds) if parent == record.parent_key else ()

    async def _try_anchor(self, header: Header, alone_at: float) -> str | None:
        """One attempt; None if the header stands now, else what is missing."""
        records = await self._chain.anchors(0)
        if self._standing(header, records) is not None:
            return None
        parent, below = NO_DIGEST, self._below(header)
        if isinstance(below, Header):
            standing = self._standing(below, records)
            if standing is None:
                if self._clock.now() < alone_at:
                    return "its parent is not on the chain"
                return await self._try_anchor(below, alone_at) or "its parent was only just proposed"
            parent = standing.key
        elif below != NO_DIGEST:
            base = self._final(below, records)
            if base is None:
                return "its parent is not on the chain"
            parent = base.key
        await self._chain.anchor(header.slot.height, header_digest(header), parent, header.params_digest)
        self._observe("anchored", {"height": header.slot.height})
        return None

    async def _try_attest(self, header: Header) -> str | None:
        records = await self._chain.anchors(0)
        standing = self._standing(header, records)
        if standing is None:
            self._tell_of_squatters(header, records)
            return "nobody proposed it on the chain"
        if not standing.finalised:
            await self._chain.attest(standing, header.slot.epoch)
            self._observe("attested", {"height": header.slot.height})
        return None

    def _standing(self, header: Header, records: Sequence[AnchorRecord]) -> AnchorRecord | None:
        """The record of just this header: also its parent, and so on down to a final one, must be what they say."""
        said = header.slot.height, header_digest(header), header.params_digest
        for record in records:
            if (record.height, record.header_digest, record.params_digest) == said and (
                record.finalised or record.parent_key == self._parent_key(header, records)
            ):
                return record
        return None

    def _parent_key(self, header: Header, records: Sequence[AnchorRecord]) -> Digest | None:
        below = self._below(header)
        if isinstance(below, Header):
            found = self._standing(below, records)
        elif below == NO_DIGEST:
            return NO_DIGEST
        else:
            found = self._final(below, records)
        return None if found is None else found.key

    def _below(self, header: Header) -> Header | Digest:
        """The nearest ancestor that is anchored by itself; or zero: none; or the digest of one not known here."""
        digest = header.parent
        while digest in self._headers:
            header = self._headers[digest]
            if self._params.anchored(header.slot.height):
                return header
            digest = header.parent
        return digest

    @staticmethod
    def _final(digest: Digest, records: Sequence[AnchorRecord]) -> AnchorRecord | None:
        """A final record of a header; who came late knows no more of the past."""
        return next((one for one in records if one.header_digest == digest and one.finalised), None)

    async def _until_done(self, duty: str, header: Header, attempt: Callable[[], Awaitable[str | None]]) -> None:
        """Tries until it succeeds or time is up: what the chain refuses now (or cannot answer) it may take later."""
        deadline, pause = self._clock.now() + PATIENCE_S, POLL_S
        while True:
            try:
                reason = await attempt()
            except ChainError as error:
                reason, pause = str(error), min(2 * pause, POLL_MAX_S)
            if reason is None:
                return
            if self._clock.now() >= deadline:
                self._observe(f"{duty}-failed", {"height": header.slot.height, "reason": reason})
                return
            await self._clock.sleep_until(self._clock.now() + pause)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def _tell_of_squatters(self, header: Header, records: Sequence[AnchorRecord]) -> None:
        """The chain keeps what a proposer says of a header; it stops nobody, but people should know."""
        for record in records:
            if record.header_digest == header_digest(header) and record.key not in self._refused:
                self._refused.add(record.key)
                reason = f"operator 0x{record.proposer.hex()} proposed it with another height, parent or parameters"
                self._observe("anchor-refused", {"height": header.slot.height, "reason": reason})
