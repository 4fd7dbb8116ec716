"""Peer keys, peer ids, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from p2pnode.transport.addresses import peer_id_of, peer_key_of, split_address, with_peer
from protocols.errors import MalformedError
from protocols.types import PeerKey


def test_a_peer_id_is_libp2ps():
    keys = create_new_key_pair(bytes(range(32)))
    peer = PeerKey(keys.public_key.to_bytes())
    assert peer_id_of(peer) == ID.from_pubkey(keys.public_key)
    assert str(peer_id_of(peer)).startswith("12D3KooW")


@given(st.binary(min_size=32, max_size=32))
def test_key_and_id_turn_into_each_other(raw: bytes):
    peer = PeerKey(raw)
    assert peer_key_of(peer_id_of(peer)) == peer
    where, who = split_address(with_peer("/ip4/10.0.0.1/tcp/4001", peer))
    assert (str(where), who) == ("/ip4/10.0.0.1/tcp/4001", peer)


@pytest.mark.parametrize("raw", [b"", b"junk", bytes(38), bytes.fromhex("002408011220") + bytes(31)])
def test_other_identities_are_refused(raw: bytes):
    with pytest.raises(MalformedError, match="does not hold an Ed25519 key"):
        peer_key_of(raw)


ID_TEXT = str(peer_id_of(PeerKey(bytes(32))))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "/ip4/1.2.3.4/tcp/4001",
        f"/ip4/1.2.3.4/udp/4001/p2p/{ID_TEXT}",
        f"/ip4/1.2.3.400/tcp/4001/p2p/{ID_TEXT}",
        f"/ip4/1.2.3.4/tcp/4001/ws/p2p/{ID_TEXT}",
        f"/ip4/1.2.3.4/tcp/99999/p2p/{ID_TEXT}",
        "/ip4/1.2.3.4/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        "/ip4/1.2.3.4/tcp/4001/p2p/0OIl",
        "/ip4/1.2.3.4/tcp/4001/p2p/" + "1" * 300,
    ],
)
def test_what_cannot_be_dialled_is_said(address: str):
    with pytest.raises(MalformedError, match=r"address|peer id"):
        split_address(address)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str):
    with pytest.raises(MalformedError):
        split_address(text)


@pytest.mark.parametrize("host", ["ip6/::1", "dns/example.org", "dns4/example.org"])
def test_other_hosts(host: str):
    assert split_address(f"/{host}/tcp/1/p2p/{ID_TEXT}")[1] == bytes(32)
