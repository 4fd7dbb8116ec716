"""Writes the test vectors beside this file: `python tests/vectors/regenerate.py`. They change only with the protocol.

Digests are SHA-256, in hex. `packed` bytes are big-endian bit strings (46 bits a residue, 17 a share value).
"""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np

from protocols import merkle
from protocols.encryption import expand
from protocols.encryption.degree import combine, draw_challenge, draw_masks, prove_degree
from protocols.encryption.layout import Layout, Section
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.packing import pack_share
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import PublicContext
from protocols.encryption.sealing import DealingKey, EpochKeyPair, find_opening, seal
from protocols.encryption.sharing import add_shares
from protocols.types import Digest, Secret
from protocols.updates.chunks import chunk_roots, update_root

HERE = Path(__file__).parent
LANES = 16_384 + 100


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def merkle_vectors() -> dict[str, Any]:
    cases = [(0, 0, 0, 0), (7, 1, 63, 70_368_743_669_760 - 63), (2**32 - 1, 255, 2**32 - 1, 2**46 - 64)]
    leaves = []
    for chunk, prime, index, first in cases:
        residues = np.arange(first, first + merkle.LEAF_RESIDUES, dtype=np.uint64)
        leaf = merkle.leaf(chunk, prime, index, residues)
        leaves.append(
            {"chunk": chunk, "prime": prime, "index": index, "residues": residues.tolist(), "leaf": leaf.hex()}
        )
    trees = []
    for count in (1, 2, 3, 5, 6, 7, 128):
        nodes = [Digest(hashlib.sha256(bytes([position])).digest()) for position in range(count)]
        paths = {p: [sibling.hex() for sibling in merkle.path(nodes, p)] for p in sorted({0, count // 2, count - 1})}
        trees.append({"leaves": [node.hex() for node in nodes], "root": merkle.root(nodes).hex(), "paths": paths})
    return {"leaves": leaves, "trees": trees}


def one_time_key_vectors() -> dict[str, Any]:
    scheme, context, threshold, members = OneTimeKeyScheme(), PublicContext(bytes(range(32)), 12, 3), 3, 5
    lanes = np.array([i * i * 7919 % 65_536 - 32_768 for i in range(LANES)], dtype=np.int64)
    contributions = []
    for seed in (bytes(32), bytes([1]) * 32):
        residues, shares = scheme.encrypt(lanes, Secret(seed), context), scheme.deal(Secret(seed), threshold, members)
        contributions.append(
            {
                "seed": seed.hex(),
                "key_first": expand.key(Secret(seed))[:8].tolist(),
                "error_0_first": expand.error(Secret(seed), context, 0)[:8].tolist(),
                "sharing_first": expand.sharing(Secret(seed), threshold)[:, :4].tolist(),
                "c0_first": residues[:, :, :4].tolist(),
                "packed_c0": [sha256(packed) for packed in scheme.pack(residues)],
                "chunk_roots": [root.hex() for root in chunk_roots(residues)],
                "update_root": update_root(chunk_roots(residues)).hex(),
                "shares_first": [share[:4].tolist() for share in shares],
                "packed_shares": [sha256(pack_share(share)) for share in shares],
            }
        )
    seeds = [Secret(bytes(32)), Secret(bytes([1]) * 32)]
    dealt = [scheme.deal(seed, threshold, members) for seed in seeds]
    total = scheme.add([scheme.encrypt(lanes, seed, context) for seed in seeds])
    return {
        "beacon": context.beacon.hex(),
        "height": context.height,
        "cell": context.cell,
        "lanes": f"lane i is (i * i * 7919 mod 65536) - 32768, for i from 0 to {LANES - 1}",
        "threshold": threshold,
        "members": members,
        "a_first": [expand.public_polynomial(context, index)[:, :4].tolist() for index in range(2)],
        "contributions": contributions,
        "sum_packed": [sha256(packed) for packed in scheme.pack(total)],
        "summed_shares": [sha256(pack_share(add_shares(pair))) for pair in zip(*dealt, strict=True)],
        "opened_first": [2 * int(lane) for lane in lanes[:4]],
    }


def layout_vectors() -> dict[str, Any]:
    """Messages (the plaintext scheme's ciphertexts) of an update with sections of 8, 16 and 4 bits."""
    layout = Layout((Section(25_000, 8), Section(5), Section(9000, 4)))
    lanes = np.concatenate(
        [
            np.arange(section.lanes) * 7919 % 2**section.value_bits - 2 ** (section.value_bits - 1)
            for section in layout.sections
        ]
    )
    residues = PlaintextScheme().encrypt(lanes, Secret(b""), PublicContext(b"", 0, 0), layout)
    return {
        "sections": [[section.lanes, section.value_bits] for section in layout.sections],
        "lanes": "lane i of a section of b bits is (i * 7919 mod 2^b) - 2^(b-1), for i from 0",
        "messages_first": residues[:, :, :4].tolist(),
        "packed": [sha256(packed) for packed in PlaintextScheme().pack(residues)],
    }


def sealing_vectors() -> dict[str, Any]:
    member, dealing, plaintext, context = bytes([2]) * 32, bytes([3]) * 32, b"seventeen bits", b"context"
    pair, key = EpochKeyPair.generate(Secret(member)), DealingKey(Secret(dealing))
    sealed = seal(key, pair.public, plaintext, context)
    return {
        "member_seed": member.hex(),
        "member_public": pair.public.hex(),
        "dealing_seed": dealing.hex(),
        "dealing_public": key.public.hex(),
        "proof": key.prove(context).hex(),
        "plaintext": plaintext.hex(),
        "context": context.hex(),
        "sealed": sealed.hex(),
        "opening": find_opening(pair, key.public, sealed, context).hex(),
    }


def degree_vectors() -> dict[str, Any]:
    seed, threshold, members = Secret(bytes([1]) * 32), 3, 5
    shares, masks = OneTimeKeyScheme().deal(seed, threshold, members), draw_masks(seed, threshold, members)
    context, dealing, sealed = b"context", bytes([4]) * 32, [bytes([5]) * 32, bytes([6]) * 32]
    challenge = draw_challenge(context, dealing, sealed)
    return {
        "seed": seed.reveal().hex(),
        "threshold": threshold,
        "members": members,
        "masks": [mask.tolist() for mask in masks],
        "context": context.hex(),
        "dealing_public": dealing.hex(),
        "sealed_digests": [digest.hex() for digest in sealed],
        "left_first": challenge.left[:2].astype(int).tolist(),
        "right_first": challenge.right[:2].astype(int).tolist(),
        "combined": combine(challenge, shares, masks).tolist(),
        "degree": prove_degree(challenge, shares, masks, threshold).hex(),
    }


def vectors() -> dict[str, dict[str, Any]]:
    """File name -> its content."""
    return {
        "degree.json": degree_vectors(),
        "layout.json": layout_vectors(),
        "merkle.json": merkle_vectors(),
        "messages.json": runpy.run_path(str(HERE / "message_vectors.py"))["message_vectors"](),
        "one_time_key.json": one_time_key_vectors(),
        "sealing.json": sealing_vectors(),
    }


if __name__ == "__main__":
    for name, content in vectors().items():
        (HERE / name).write_text(json.dumps(content, indent=1) + "\n")
