"""How a node comes to its neighbours and keeps some: bootstrap peers, those of an earlier life, finds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from p2pnode.directory import MESH_DIALS, Directory
from p2pnode.errors import Unreachable
from p2pnode.peer_cache import CachedPeer, read_peers, write_peers
from p2pnode.ports import Finder, Ports
from p2pnode.supervision import Supervisor
from protocols.errors import RemoteError
from protocols.types import PeerKey

MESH_CHECK_S: Final = 10.0
BOOTSTRAP_PAUSES_S: Final = (1.0, 2.0)
FIND_PAUSES_S: Final = (0.5, 2.0, 8.0)
SEEK_MAX: Final = 16
"""Peers that are looked for by the finder at a time: each costs a search of many questions."""


class Neighbours:
    """The connections of one node.

    Args:
        bootstrap: multiaddrs to begin with.
        keep: whether peers are kept in the node's folder, to come back by.
    """

    def __init__(
        self, ports: Ports, directory: Directory, tasks: Supervisor, bootstrap: tuple[str, ...], *, keep: bool
    ) -> None:
        self._transport, self._clock, self._finder = ports.transport, ports.clock, ports.finder
        self._directory, self._tasks, self._bootstrap = directory, tasks, bootstrap
        self._folder: Path | None = ports.folder if keep else None
        self._kept: tuple[CachedPeer, ...] = ()

    async def join(self) -> None:
        """Meets the bootstrap peers and those of an earlier life, learns where others are.

        Raises:
            Unreachable: there are bootstrap peers, and neither they nor anybody else answers.
        """
        if self._folder is not None:
            with self._tasks.surviving("peer cache"):
                self._directory.recall(read_peers(self._folder))
        errors = await self._meet_bootstrap()
        for pause in BOOTSTRAP_PAUSES_S:
            if len(errors) < len(self._bootstrap) or not errors:
                break
            await self._clock.sleep_until(self._clock.now() + pause)  # hundreds may be joining at once
            errors = await self._meet_bootstrap()
        await self._directory.mesh()
        if errors and len(errors) == len(self._bootstrap) and not self._transport.connected():
            raise Unreachable("no bootstrap peer answers: " + "; ".join(errors))

    async def stay(self) -> None:
        """Connections end; gossip needs some, and at least one shows the way to others. Never returns."""
        while True:
            await self._clock.sleep_until(self._clock.now() + MESH_CHECK_S)
            if not self._transport.connected():
                await self._meet_bootstrap()
            if len(self._transport.connected()) < MESH_DIALS:
                await self._directory.mesh()
            self._keep()

    async def listen(self, finder: Finder) -> None:
        """Hears of peers, and meets them while there are few. Never returns."""
        while True:
            self._directory.hint(*await finder.found())
            if len(self._transport.connected()) < MESH_DIALS:
                await self._directory.mesh()

    async def find(self, wanted: Iterable[PeerKey]) -> None:
        """Learns where these peers are: from neighbours, and for as long as some are missing from the finder."""
        wanted = frozenset(wanted)
        for pause in FIND_PAUSES_S:  # whoever is asked may not have met them yet
            await self._directory.find(wanted)
            missing = self._directory.missing(wanted)
            if not missing:
                return
            if self._finder is not None:
                for peer in missing[:SEEK_MAX]:
                    await self._finder.seek(peer)
            await self._clock.sleep_until(self._clock.now() + pause)

    def _keep(self) -> None:
        if self._folder is not None and (kept := self._directory.keep()) and kept != self._kept:
            write_peers(self._folder, kept)
            self._kept = kept

    async def _meet_bootstrap(self) -> list[str]:
        """What went wrong, for each that does not answer."""
        errors = []
        for address in self._bootstrap:
            try:
                await self._directory.ask(await self._transport.dial(address))
            except (Unreachable, RemoteError) as error:
                errors.append(str(error))
        return errors
