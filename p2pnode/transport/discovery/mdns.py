"""mDNS on local networks as libp2p's specs have it (discovery/mdns.md), under a service type of our subnet alone.

py-libp2p's MDNSDiscovery blocks the event loop while it registers and asks, writes into the peerstore from zeroconf's
thread, and keeps whatever it is told; so zeroconf is used directly: its threads hand over what they heard, bounded.
Off unless it is wanted: it tells everybody on the local network that this node is here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio
from zeroconf import InterfaceChoice, ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

from p2pnode.transport.addresses import peer_id_of, split_address
from p2pnode.transport.discovery.lookup import ADDRESSES_MAX
from p2pnode.transport.discovery.scope import Scope, may_dial
from protocols.errors import LocalError, MalformedError
from protocols.types import PeerKey

TEXT_MAX_BYTES: Final = 4096
NAMES_MAX: Final = 512
ANSWER_MS: Final = 1000
_KEY: Final = b"dnsaddr="
_KEY_MAX: Final = 255

Heard = Callable[[PeerKey, tuple[str, ...]], None]


def service_type(prefix: str) -> str:
    """Of one subnet's peers; DNS-SD allows 15 characters."""
    return f"_p2p-{prefix[:8]}._udp.local."


async def run_mdns(peer: PeerKey, addresses: tuple[str, ...], prefix: str, heard: Heard) -> None:
    """Says where we are and tells `heard` where others are, until it is cancelled.

    Raises:
        LocalError: this machine has no network with multicast, or none that could be reached at `addresses`.
    """
    reachable = [address for address in addresses if may_dial(address, Scope.LINK)]
    if not reachable:
        raise LocalError(f"mDNS: nobody else can reach {', '.join(addresses)}; listen on /ip4/0.0.0.0/tcp/...")
    browsing = Browsing(peer, service_type(prefix), heard, trio.lowlevel.current_trio_token())
    try:
        zeroconf = await trio.to_thread.run_sync(partial(Zeroconf, interfaces=InterfaceChoice.All))
    except OSError as error:
        raise LocalError(f"mDNS: no multicast on this machine ({error.strerror or error})") from error
    try:
        mine = announcement(peer, reachable, browsing.kind)
        await trio.to_thread.run_sync(partial(zeroconf.register_service, mine, allow_name_change=True))
        ServiceBrowser(zeroconf, browsing.kind, handlers=[browsing.changed])
        await trio.sleep_forever()
    finally:
        browsing.over = True
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(zeroconf.close)


class Browsing:
    """What zeroconf's thread calls when services come."""

    def __init__(self, peer: PeerKey, kind: str, heard: Heard, token: trio.lowlevel.TrioToken) -> None:
        self._peer, self.kind, self._heard, self._token = peer, kind, heard, token
        self._names: set[str] = set()
        self.over = False

    def changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """Reads a service's text and hands it to the event loop; of each name a first time, and of so many names."""
        if self.over or state_change is ServiceStateChange.Removed or len(self._names) >= NAMES_MAX:
            return
        if state_change is ServiceStateChange.Added and name in self._names:
            return
        self._names.add(name)
        info = ServiceInfo(service_type, name)
        info.load_from_cache(zeroconf)  # its text mostly came with its name
        if not info.text:
            info.request(zeroconf, ANSWER_MS)  # False where it has no host name's address; the text is what we want
        if info.text and not self.over:
            self._token.run_sync_soon(self.take, info.text)

    def take(self, text: bytes) -> None:
        """On the event loop: what somebody on the network says."""
        for peer, addresses in addresses_in(text).items():
            if peer != self._peer:
                self._heard(peer, addresses)


def announcement(peer: PeerKey, addresses: list[str], kind: str) -> ServiceInfo:
    """Our service: one `dnsaddr=` an address, no host name of this machine."""
    name = str(peer_id_of(peer))
    entries = [_KEY + address.encode() for address in addresses[:ADDRESSES_MAX]]
    text = b"".join(bytes([len(entry)]) + entry for entry in entries if len(entry) <= _KEY_MAX)
    port = int(str(split_address(addresses[0])[0].value_for_protocol("tcp")))
    more: dict[str, Any] = {"properties": text, "server": f"{name[-16:].lower()}.local."}
    return ServiceInfo(kind, f"{name}.{kind}", port=port, **more)


def addresses_in(text: bytes) -> dict[PeerKey, tuple[str, ...]]:
    """The peers of a TXT record (length-prefixed strings) with their addresses; what is none is passed over."""
    found: dict[PeerKey, tuple[str, ...]] = {}
    at = 0
    while at < min(len(text), TEXT_MAX_BYTES):
        entry = text[at + 1 : at + 1 + text[at]]
        at += 1 + text[at]
        if not entry.startswith(_KEY):
            continue
        try:
            address = entry.removeprefix(_KEY).decode()
            _, peer = split_address(address)
        except (UnicodeDecodeError, MalformedError):
            continue
        known = found.get(peer, ())
        if may_dial(address, Scope.LINK) and len(known) < ADDRESSES_MAX and address not in known:
            found[peer] = (*known, address)
    return found
