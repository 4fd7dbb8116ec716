"""What a node owes the chain: to anchor certified headers as a committee member, to attest as a validator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Chain, Clock
from p2pnode.supervision import Observer
from protocols.checkpoints.machine import header_digest
from protocols.effects import Anchor
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

    def __init__(self, chain: Chain, clock: Clock, observe: Observer) -> None:
        self._chain, self._clock, self._observe = chain, clock, observe
        self._headers: OrderedDict[Digest, Header] = OrderedDict()
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
        """Attests a header once it is proposed as what it is."""
        self.remember(header)
        with self._under_way():
            await self._until_done("attest", header, lambda: self._try_attest(header))

    async def _try_anchor(self, header: Header, alone_at: float) -> str | None:
        """One attempt; None if the header stands now, else what is missing."""
        digest = header_digest(header)
        standing = await self._standing(header)
        if digest in standing:
            self._is_what_it_says(standing[digest], header)
            return None
        if header.parent != NO_DIGEST and header.parent not in standing:
            parent = self._headers.get(header.parent)
            if parent is None or self._clock.now() < alone_at:
                return "its parent is not on the chain"
            return await self._try_anchor(parent, alone_at) or "its parent was only just proposed"
        await self._chain.anchor(header.slot.height, digest, header.parent, header.params_digest)
        self._observe("anchored", {"height": header.slot.height})
        return None

    async def _try_attest(self, header: Header) -> str | None:
        digest = header_digest(header)
        standing = await self._standing(header)
        if digest not in standing:
            return "nobody proposed it on the chain"
        if self._is_what_it_says(standing[digest], header) and not standing[digest].finalised:
            await self._chain.attest(header.slot.height, digest)
            self._observe("attested", {"height": header.slot.height})
        return None

    async def _standing(self, header: Header) -> dict[Digest, AnchorRecord]:
        records = await self._chain.anchors(max(0, header.slot.height - HEADERS_MAX))
        return {record.header_digest: record for record in records}

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

    def _is_what_it_says(self, record: AnchorRecord, header: Header) -> bool:
        """The chain keeps what a proposer says of a header; who vouches for it must look at all of it."""
        said = record.height, record.parent_digest, record.params_digest
        if said == (header.slot.height, header.parent, header.params_digest):
            return True
        reason = f"operator 0x{record.proposer.hex()} proposed it with another height, parent or parameters"
        self._observe("anchor-refused", {"height": header.slot.height, "reason": reason})
        return False
