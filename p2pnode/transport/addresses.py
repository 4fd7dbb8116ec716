"""Peer keys, libp2p peer ids and multiaddrs.

A libp2p peer id of an Ed25519 key is the identity multihash of its protobuf encoding (libp2p specs, peer-ids.md), so
key and id are the same 32 bytes under different wrappings.
"""

from __future__ import annotations

from libp2p.peer.id import ID
from multiaddr import Multiaddr

from protocols.errors import MalformedError
from protocols.types import PeerKey

_ID_PREFIX = bytes.fromhex("002408011220")  # identity multihash, 36 bytes; protobuf {type: Ed25519, data: 32 bytes}
_MAX_ADDRESS_CHARACTERS = 256
_DIRECT, _RELAYED = ("tcp", "p2p"), ("tcp", "p2p", "p2p-circuit", "p2p")
_HOSTS = frozenset({"ip4", "ip6", "dns", "dns4", "dns6"})


def peer_id_of(peer: PeerKey) -> ID:
    """The libp2p peer id of a peer key."""
    return ID(_ID_PREFIX + peer)


def peer_key_of(peer_id: ID | bytes) -> PeerKey:
    """The peer key inside a libp2p peer id; raises `MalformedError` if it is not an Ed25519 identity."""
    raw = peer_id if isinstance(peer_id, bytes) else peer_id.to_bytes()
    if len(raw) != len(_ID_PREFIX) + 32 or not raw.startswith(_ID_PREFIX):
        raise MalformedError(f"peer id {raw.hex()[:16]}... does not hold an Ed25519 key")
    return PeerKey(raw[len(_ID_PREFIX) :])


def split_address(address: str) -> tuple[Multiaddr, PeerKey]:
    """A dialable address as (where, who): "/ip4/1.2.3.4/tcp/4001/p2p/12D3..." without and with its last part.

    What is reached through a relay is there: "/ip4/1.2.3.4/tcp/4001/p2p/RELAY/p2p-circuit".

    Raises:
        MalformedError: not an address of a host, a TCP port and a peer with an Ed25519 key.
    """
    if len(address) > _MAX_ADDRESS_CHARACTERS:
        raise MalformedError(f"address {address[:40]!r}... is longer than {_MAX_ADDRESS_CHARACTERS} characters")
    expected = "an address looks like /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW..."
    try:
        whole = Multiaddr(address)
        names = tuple(protocol.name for protocol in whole.protocols())
        if names[:1] == () or names[0] not in _HOSTS or names[1:] not in (_DIRECT, _RELAYED):
            raise MalformedError(f"address {address!r} cannot be dialled: {expected}")
        peer = peer_key_of(ID.from_base58(address.rpartition("/p2p/")[2]))
        if names[1:] == _RELAYED:
            peer_key_of(ID.from_base58(address.split("/")[6]))
        return Multiaddr(address.rpartition("/p2p/")[0]), peer
    except (ValueError, LookupError) as error:  # multiaddr's and base58's own errors derive from these two
        raise MalformedError(f"address {address!r} cannot be read ({error}): {expected}") from error


def relay_in(address: Multiaddr | str) -> str | None:
    """The address of the relay, with its /p2p/ part, in that of a peer behind one; None in any other."""
    relay, circuit, _ = str(address).partition("/p2p-circuit")
    return relay if circuit else None


def with_peer(address: Multiaddr | str, peer: PeerKey) -> str:
    """The address with its /p2p/ suffix."""
    return f"{address}/p2p/{peer_id_of(peer)}"
