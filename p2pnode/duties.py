"""What a node owes the chain: to anchor certified headers as a committee member, to attest as a validator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Chain, Clock
from protocols.checkpoints.machine import header_digest
from protocols.effects import Anchor
from protocols.types import Digest
from protocols.wire.messages import Header

POLL_S: Final = 0.5
PATIENCE_S: Final = 120.0
"""How long a duty waits for what it stands on (a parent, a proposal) before it gives up and says so."""

Report = Callable[[str, dict[str, object]], None]


class Duties:
    """Performs duties one by one as the chain allows; each ends done, moot, or with a reason that is shown."""

    def __init__(self, chain: Chain, clock: Clock, report: Report) -> None:
        self._chain, self._clock, self._report = chain, clock, report
        self.open = 0
        """Duties under way."""

    async def anchor(self, duty: Anchor) -> None:
        """Proposes a header once its parent stands, unless another member has."""
        header = duty.header
        height, digest = header.slot.height, header_digest(header)
        self.open += 1
        try:
            await self._clock.sleep_until(self._clock.now() + duty.delay_s)
            deadline = self._clock.now() + PATIENCE_S
            while self._clock.now() < deadline:
                standing = await self._chain.anchors(max(0, height - 64))
                if _find(standing, digest) is not None:
                    return
                if header.parent == bytes(32) or _find(standing, header.parent) is not None:
                    await self._propose(header, digest)
                    return
                await self._pause()
            self._report("anchor-failed", {"height": height, "reason": "its parent is not on the chain"})
        finally:
            self.open -= 1

    async def attest(self, header: Header) -> None:
        """Attests a header once it is proposed."""
        height, digest = header.slot.height, header_digest(header)
        self.open += 1
        try:
            deadline = self._clock.now() + PATIENCE_S
            while self._clock.now() < deadline:
                record = _find(await self._chain.anchors(height), digest)
                if record is not None and record.finalised:
                    return
                if record is not None:
                    await self._chain.attest(height, digest)
                    self._report("attested", {"height": height})
                    return
                await self._pause()
            self._report("attest-failed", {"height": height, "reason": "nobody proposed it on the chain"})
        except ChainError as error:
            self._report("attest-failed", {"height": height, "reason": str(error)})
        finally:
            self.open -= 1

    async def _propose(self, header: Header, digest: Digest) -> None:
        height = header.slot.height
        try:
            await self._chain.anchor(height, digest, header.parent, header.params_digest)
        except ChainError as error:
            if _find(await self._chain.anchors(height), digest) is None:  # else somebody was faster
                self._report("anchor-failed", {"height": height, "reason": str(error)})
        else:
            self._report("anchored", {"height": height})

    async def _pause(self) -> None:
        await self._clock.sleep_until(self._clock.now() + POLL_S)


def _find(records: tuple[AnchorRecord, ...], digest: Digest) -> AnchorRecord | None:
    return next((record for record in records if record.header_digest == digest), None)
