"""messages.json, read as a peer in another language would: from protocols/README.md and standard primitives alone."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from p2pnode import services
from p2pnode.node import protocol_prefix
from p2pnode.ports import SubnetRecord
from protocols.agreement.certificate import check_header, check_list, check_prevotes
from protocols.params import decode_params
from protocols.presets import PRESETS
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.types import Address, PeerKey, Role
from protocols.updates.totals import decode_total
from protocols.wire.codec import decode
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import TAGS, HeaderCertificate, ListCertificate, Proposal

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("messages.json").read_text())
EPOCH = VECTORS["epoch"]
BY_TYPE = {vector["type"]: vector for vector in VECTORS["messages"]}


def raw(value: Any) -> Any:
    """JSON's values with bytes for "0x...", nested."""
    if isinstance(value, list):
        return [raw(item) for item in value]
    return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("0x") else value


def pack(value: Any) -> bytes:
    """Canonical msgpack: always the shortest form."""
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        forms = (2**7, b"", 1), (2**8, b"\xcc", 1), (2**16, b"\xcd", 2), (2**32, b"\xce", 4), (2**64, b"\xcf", 8)
        return next(head + value.to_bytes(size, "big") for above, head, size in forms if value < above)
    if isinstance(value, bytes):
        size = len(value)
        return (bytes([0xC4, size]) if size < 2**8 else b"\xc5" + struct.pack(">H", size)) + value
    if isinstance(value, str):
        size = len(value.encode())
        return (bytes([0xA0 | size]) if size < 32 else bytes([0xD9, size])) + value.encode()
    head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
    return head + b"".join(map(pack, value))


def tagged(domain: str, *parts: bytes | int) -> bytes:
    data = [part.to_bytes(8, "big") if isinstance(part, int) else part for part in parts]
    framed = b"".join(struct.pack(">I", len(part)) + part for part in data)
    return hashlib.sha256(f"2pm/{domain}/1\0".encode() + framed).digest()


def here() -> EpochView:
    params = decode_params(raw(VECTORS["params"]["here"]["encoded"]))
    roster = [(PeerKey(raw(peer)), Role(roles)) for peer, roles in EPOCH["roster"]]
    return draw_epoch(EPOCH["chain_id"], EPOCH["subnet"], EPOCH["epoch"], raw(EPOCH["block_hash"]), params, roster)


def test_there_is_a_vector_for_every_message() -> None:
    assert {vector["tag"]: vector["type"] for vector in VECTORS["messages"]} == {
        tag: kind.__name__ for tag, kind in TAGS.items()
    }


@pytest.mark.parametrize("name", sorted(BY_TYPE))
def test_a_message_follows_from_its_fields(name: str) -> None:
    vector = BY_TYPE[name]
    body = pack([vector["tag"], raw(vector["fields"])])
    key = Ed25519PrivateKey.from_private_bytes(raw(VECTORS["seeds"][0]))
    signature = key.sign(b"2pm/message/1\x00" + body)
    assert body == raw(vector["body"])
    assert hashlib.sha256(body).digest() == raw(vector["digest"])
    assert signature == raw(vector["signature"])
    assert pack([body, key.public_key().public_bytes_raw(), signature]) == raw(vector["envelope"])
    assert open_envelope(raw(vector["envelope"])).digest == raw(vector["digest"])


def test_digests_follow_from_their_messages() -> None:
    sets = raw(BY_TYPE["Proposal"]["fields"][1])
    header = raw(BY_TYPE["HeaderVote"]["fields"][0])
    assert tagged("set-list", pack(sets)) == raw(VECTORS["digests"]["set_list"])
    assert tagged("cell-set", pack(sets[1][0])) == raw(VECTORS["digests"]["cell_set"])
    assert tagged("header", pack(header)) == raw(VECTORS["digests"]["header"])
    assert tagged("summed-key", b"") == raw(VECTORS["digests"]["summed_key_of_no_bytes"])


def test_certificates_carry_the_signatures_of_votes() -> None:
    for certificate, vote in (("ListCertificate", "Vote"), ("HeaderCertificate", "HeaderVote")):
        for member, signature in raw(BY_TYPE[certificate]["fields"][-1]):
            key = Ed25519PublicKey.from_public_bytes(raw(EPOCH["committee"][member - 1]))
            key.verify(signature, b"2pm/message/1\x00" + raw(BY_TYPE[vote]["body"]))
    lists, headers = (open_envelope(raw(BY_TYPE[name]["envelope"])).message for name in list(BY_TYPE) if "Cert" in name)
    proposal = open_envelope(raw(BY_TYPE["Proposal"]["envelope"])).message
    assert isinstance(proposal, Proposal)
    assert proposal.valid is not None
    check_prevotes(proposal.valid, proposal.sets, here())
    assert isinstance(lists, ListCertificate)
    assert isinstance(headers, HeaderCertificate)
    check_list(lists, here())
    check_header(headers, here())


def test_the_epoch_follows_from_block_and_roster() -> None:
    place = EPOCH["chain_id"], EPOCH["subnet"], EPOCH["epoch"]
    beacon = tagged("epoch-beacon", *place, raw(EPOCH["block_hash"]))
    compute = [raw(peer) for peer, roles in EPOCH["roster"] if roles & 2]
    data = sorted((raw(p) for p, roles in EPOCH["roster"] if roles & 1), key=lambda p: tagged("cell", beacon, p))
    committee = sorted(compute, key=lambda peer: tagged("committee", beacon, peer))[:4]
    cells = [sorted(data[cell::2]) for cell in range(2)]
    root = tagged("committee-root", *place, beacon, *committee)
    assert beacon == raw(EPOCH["beacon"])
    assert committee == raw(EPOCH["committee"])
    assert cells == raw(EPOCH["cells"])
    assert root == raw(EPOCH["committee_root"])
    for cell, members in enumerate(cells):
        for stripe in (0, 1):
            ranked = sorted(members, key=lambda peer: tagged("aggregator", beacon, 12, cell, stripe, peer))
            assert ranked[:2] == raw(EPOCH["aggregators"][cell][stripe])
    assert tagged("round-beacon", root, 12) == raw(EPOCH["round_beacon"])
    assert (EPOCH["first_proposer"] - 1 - 12) % 4 == 0


def test_the_sealing_context_binds_share_and_ciphertext() -> None:
    sealing, root = EPOCH["sealing"], raw(EPOCH["committee_root"])
    parts = 12, sealing["cell"], raw(sealing["dealer"]), sealing["member"], raw(sealing["update_root"])
    assert tagged("sealed-share", root, *parts) == raw(sealing["context"])
    assert tagged("dealing", root, *parts[:3], parts[4]) == raw(sealing["dealing_context"])


def test_parameters_are_one_array() -> None:
    for vector in VECTORS["params"].values():
        assert pack(raw(vector["fields"])) == raw(vector["encoded"])
        assert hashlib.sha256(raw(vector["encoded"])).digest() == raw(vector["digest"])
    assert decode_params(raw(VECTORS["params"]["dev"]["encoded"])) == PRESETS["dev"]


def test_the_prefix_names_chain_subnet_parameters_and_task() -> None:
    task, params = raw(VECTORS["protocol_prefix"]["task"]), raw(VECTORS["params"]["here"]["encoded"])
    nobody = Address(bytes(20))
    subnet = SubnetRecord(EPOCH["subnet"], nobody, params, task, 1, nobody, nobody)
    prefix = tagged("protocol", EPOCH["chain_id"], EPOCH["subnet"], params, task).hex()[:16]
    assert prefix == VECTORS["protocol_prefix"]["prefix"] == protocol_prefix(EPOCH["chain_id"], subnet)


def test_a_total_is_a_count_and_little_endian_sums() -> None:
    total = VECTORS["total"]
    sums = [sum(column) for column in zip(*(lanes for lanes, _ in total["cells"]), strict=True)]
    contributors = sum(count for _, count in total["cells"])
    assert struct.pack(">I", contributors) + struct.pack(f"<{len(sums)}i", *sums) == raw(total["total"])
    assert hashlib.sha256(raw(total["total"])).digest() == raw(total["digest"])
    assert decode_total(raw(total["total"]), len(sums)).lanes.tolist() == sums


@pytest.mark.parametrize("vector", VECTORS["services"], ids=lambda vector: vector["type"])
def test_requests_are_bare_arrays(vector: dict[str, Any]) -> None:
    encoded = raw(vector["encoded"])
    assert pack(raw(vector["fields"])) == encoded
    assert type(decode(encoded, getattr(services, vector["type"]), 1 << 20)).__name__ == vector["type"]


def test_the_operator_binding_is_a_fixed_layout() -> None:
    binding = {name: raw(value) for name, value in VECTORS["operator_binding"].items()}
    numbers = struct.pack(">Q", binding["chain_id"]), struct.pack(">Q", binding["subnet"])
    message = b"2pm/operator-binding/1\x00" + numbers[0] + binding["operators"] + numbers[1]
    assert message + binding["operator"] + binding["peer"] == binding["message"]
    Ed25519PublicKey.from_public_bytes(binding["peer"]).verify(binding["proof"], binding["message"])
