"""What the chain says of checkpoints, as events: nodes know what they sent, only the chain knows what stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import trio

from p2pnode.ports import AnchorRecord

WATCH_S: Final = 1.0

Tell = Callable[[str, str, Mapping[str, object]], None]
"""(node, event's name, fields)."""


class AnchorSource(Protocol):
    """A chain that can be asked for its checkpoints."""

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]: ...


class AnchorWatch:
    """Tells of each checkpoint when it is anchored and when it becomes final."""

    def __init__(self, chain: AnchorSource, tell: Tell) -> None:
        self._chain, self._tell = chain, tell
        self._seen: dict[bytes, bool] = {}

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await self.look()
            await trio.sleep(WATCH_S)

    async def look(self) -> None:
        """Looks once."""
        for record in await self._chain.anchors(0):
            if self._seen.get(record.key) != record.finalised:
                self._seen[record.key] = record.finalised
                fields = {"height": record.height, "header": record.header_digest.hex(), "final": record.finalised}
                self._tell("simnet", "checkpoint", fields)

    @property
    def all_final(self) -> bool:
        """Whether nothing that was seen still waits for its quorum."""
        return all(self._seen.values())
