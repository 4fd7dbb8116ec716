"""The vectors of messages, digests and draws (messages.json); `regenerate.py` writes them.

Bytes are hex behind "0x"; a message's fields stand in wire order, nested records as arrays, as they are encoded.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pnode import services
from p2pnode.chain.roles import binding_message
from protocols.agreement.certificate import list_digest, signatures
from protocols.checkpoints.machine import header_digest
from protocols.hashing import tagged
from protocols.params import Params
from protocols.presets import preset
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.rounds.release import set_digest
from protocols.types import NO_DIGEST, Address, Digest, PeerKey, Role, Secret
from protocols.updates.chunks import update_root
from protocols.updates.pieces import table_of
from protocols.updates.totals import add_cells
from protocols.wire import messages as wire
from protocols.wire.codec import encode
from protocols.wire.envelope import TAGS, Signer, body_of, signer

CHAIN_ID, SUBNET, EPOCH, HEIGHT, CELL = 31_337, 1, 2, 12, 1
BLOCK_HASH = bytes(range(32))
SEEDS = [bytes([number]) * 32 for number in range(1, 11)]
PARAMS = preset("dev").with_(k_min=2, dropouts=1, committee=4, threshold=3, final_height=20)
SIGNERS: dict[PeerKey, Signer] = dict(signer(Secret(seed)) for seed in SEEDS)
PEERS = list(SIGNERS)
ROLES = [Role.DATA | Role.COMPUTE] * 8 + [Role.COMPUTE, Role.VALIDATOR]
OPERATORS, OPERATOR = Address(bytes([0xAA]) * 20), Address(bytes([0xBB]) * 20)


def plain(value: Any) -> Any:
    """A message as JSON."""
    if is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return "0x" + value.hex() if isinstance(value, bytes) else value


def fill(byte: int) -> Digest:
    return Digest(bytes([byte]) * 32)


def epoch_view() -> EpochView:
    return draw_epoch(CHAIN_ID, SUBNET, EPOCH, BLOCK_HASH, PARAMS, zip(PEERS, ROLES, strict=True))


def params_vector(params: Params) -> dict[str, Any]:
    return {"fields": plain(params), "encoded": plain(params.encode()), "digest": plain(params.digest)}


def epoch_vector(view: EpochView) -> dict[str, Any]:
    dealer, root = view.cells[CELL][0], update_root((fill(1), fill(2)))
    return {
        "chain_id": CHAIN_ID,
        "subnet": SUBNET,
        "epoch": EPOCH,
        "block_hash": plain(BLOCK_HASH),
        "roster": [[plain(peer), int(roles)] for peer, roles in zip(PEERS, ROLES, strict=True)],
        "beacon": plain(view.beacon),
        "committee": plain(view.committee),
        "cells": plain(view.cells),
        "committee_root": plain(view.committee_root),
        "aggregators": [[plain(view.aggregators(HEIGHT, cell, stripe)) for stripe in (0, 1)] for cell in (0, 1)],
        "first_proposer": next(i for i in range(1, 5) if view.proposer_rank(HEIGHT, i) == 0),
        "round_beacon": plain(view.round_beacon(HEIGHT)),
        "sealing": {
            "cell": CELL,
            "dealer": plain(dealer),
            "member": 2,
            "update_root": plain(root),
            "context": plain(view.sealing_context(HEIGHT, CELL, dealer, 2, root)),
            "dealing_context": plain(view.dealing_context(HEIGHT, CELL, dealer, root)),
        },
    }


def sample_messages(view: EpochView) -> list[wire.Message]:
    """One of each type, that hang together as those of a round do."""
    slot = view.slot(HEIGHT)
    dealer = view.cells[CELL][0]
    shares, dealing = (
        (fill(3), fill(4), NO_DIGEST, fill(5)),
        wire.Dealing(bytes([16]) * 32, bytes([17]) * 64, b"degree"),
    )
    manifest = wire.Manifest(slot, CELL, fill(9), (fill(1), fill(2)), shares, dealing)
    signed = SIGNERS[dealer](manifest)
    others = tuple(wire.Contribution(peer, fill(6)) for peer in view.cells[CELL][1:])
    cell_set = wire.CellSet(CELL, (wire.Contribution(dealer, signed.digest), *others))
    sets = wire.SetList(slot, (cell_set,))
    prevote = wire.Vote(slot, 0, wire.PREVOTE, list_digest(sets), None)
    vote = wire.Vote(slot, 1, wire.PRECOMMIT, list_digest(sets), None)
    result = wire.CellResult(CELL, len(cell_set.contributions), update_root((fill(7), fill(8))), fill(10))
    header = wire.Header(slot, fill(9), fill(11), list_digest(sets), fill(12), (result,), None)
    header_vote = wire.HeaderVote(header)

    def certified(message: wire.Message) -> tuple[wire.MemberSignature, ...]:
        cast = {member: SIGNERS[peer](message) for member, peer in enumerate(view.committee, start=1)}
        return signatures(cast, PARAMS.threshold)

    address = "/ip4/203.0.113.7/tcp/6701/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"
    return [
        wire.AddressRecord(1_700_000_000_000, (address,)),
        wire.EpochKey(CHAIN_ID, SUBNET, EPOCH, view.committee_root, 1, bytes([13]) * wire.EPOCH_KEY_BYTES),
        manifest,
        wire.Submission(slot, signed.encoded, bytes([14]) * 5),
        wire.Receipt(slot, signed.digest, 1),
        wire.Availability(slot, CELL, tuple(sorted((signed.digest, fill(6))))),
        wire.Proposal(1, sets, wire.PrevoteCertificate(0, None, certified(prevote))),
        vote,
        wire.ListCertificate(sets, 1, certified(vote)),
        wire.Aggregate(slot, CELL, list_digest(sets), (0,), (fill(7), fill(8)), bytes([16]) * 64),
        wire.Release(slot, CELL, set_digest(cell_set), bytes([15]) * 5),
        header_vote,
        wire.HeaderCertificate(header, certified(header_vote)),
        wire.Status(slot, 1, (fill(6),)),
        wire.Dispute(slot, signed.encoded, bytes([14]) * 5, bytes([18]) * 32),
    ]


def message_vector(message: wire.Message, sign: Signer) -> dict[str, Any]:
    signed, tags = sign(message), {kind: tag for tag, kind in TAGS.items()}
    return {
        "type": type(message).__name__,
        "tag": tags[type(message)],
        "fields": plain(message),
        "body": plain(body_of(message)),
        "digest": plain(signed.digest),
        "signature": plain(signed.signature),
        "envelope": plain(signed.encoded),
    }


def digest_vectors(messages: list[wire.Message]) -> dict[str, Any]:
    certificate = next(each for each in messages if isinstance(each, wire.ListCertificate))
    vote = next(each for each in messages if isinstance(each, wire.HeaderVote))
    return {
        "cell_set": plain(set_digest(certificate.sets.cells[0])),
        "set_list": plain(list_digest(certificate.sets)),
        "header": plain(header_digest(vote.header)),
        "summed_key_of_no_bytes": plain(tagged("summed-key", b"")),
    }


def total_vector() -> dict[str, Any]:
    cells = [(np.array([1, -2, 32_767]), 3), (np.array([10, -20, 65_536]), 4)]
    total = add_cells(cells)
    sums = [[lanes.tolist(), count] for lanes, count in cells]
    return {"cells": sums, "total": plain(total), "digest": plain(hashlib.sha256(total).digest())}


def service_vectors() -> list[dict[str, Any]]:
    samples = [
        services.Info(CHAIN_ID, OPERATORS, SUBNET),
        services.PeersRequest(b"record", (PEERS[0],)),
        services.PeersResponse((b"record",)),
        services.KeysRequest(EPOCH),
        services.KeysResponse((b"key",)),
        services.HeadResponse(b""),
        services.BlobRequest((fill(1), fill(2)), 0),
        services.BlobResponse((services.Part(3, b"abc"), services.Part(0, b""))),
        services.PiecesRequest(fill(1)),
        services.PiecesResponse(table_of(b"abc"), b"abc"),
        services.PieceRequest(fill(1), 3),
    ]
    return [{"type": type(each).__name__, "fields": plain(each), "encoded": plain(encode(each))} for each in samples]


def binding_vector() -> dict[str, Any]:
    message = binding_message(CHAIN_ID, OPERATORS, SUBNET, OPERATOR, PEERS[0])
    proof = Ed25519PrivateKey.from_private_bytes(SEEDS[0]).sign(message)
    parts = {"operators": OPERATORS, "operator": OPERATOR, "peer": PEERS[0], "message": message, "proof": proof}
    return {"chain_id": CHAIN_ID, "subnet": SUBNET, **{name: plain(value) for name, value in parts.items()}}


def message_vectors() -> dict[str, Any]:
    view = epoch_view()
    messages = sample_messages(view)
    prefix = tagged("protocol", CHAIN_ID, SUBNET, PARAMS.encode(), b"task").hex()[:16]
    return {
        "seeds": [plain(seed) for seed in SEEDS],
        "signer": plain(PEERS[0]),
        "params": {"dev": params_vector(preset("dev")), "here": params_vector(PARAMS)},
        "protocol_prefix": {"task": plain(b"task"), "prefix": prefix},
        "epoch": epoch_vector(view),
        "messages": [message_vector(message, SIGNERS[PEERS[0]]) for message in messages],
        "digests": digest_vectors(messages),
        "total": total_vector(),
        "services": service_vectors(),
        "operator_binding": binding_vector(),
    }
