"""The vectors are what the code computes, and what an independent reading of the protocol computes from scratch."""

from __future__ import annotations

import hashlib
import json
import runpy
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
GENERATED = runpy.run_path(str(HERE / "regenerate.py"))["vectors"]()


def load(name: str) -> dict[str, Any]:
    return json.loads((HERE / name).read_text())


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_the_committed_vectors_are_current(name: str) -> None:
    assert load(name) == json.loads(json.dumps(GENERATED[name]))


def shake(length: int, *parts: bytes) -> bytes:
    return hashlib.shake_256(b"".join(struct.pack(">I", len(part)) + part for part in parts)).digest(length)


def binomial(*parts: bytes) -> list[int]:
    stream = shake(6 * 4096, *parts)
    words = [int.from_bytes(stream[6 * j : 6 * j + 6], "little") for j in range(4096)]
    return [(word & 0x1FFFFF).bit_count() - (word >> 21 & 0x1FFFFF).bit_count() for word in words]


def root_of(prime: int) -> int:
    roots = (pow(h, (prime - 1) // 8192, prime) for h in range(2, 99))
    primitive = next(root for root in roots if pow(root, 4096, prime) == prime - 1)
    return min(pow(primitive, k, prime) for k in range(1, 8192, 2))


def test_ciphertexts_follow_from_the_protocol_in_plain_integers() -> None:
    vectors, primes = load("one_time_key.json"), (70368743587841, 70368743669761)
    beacon, place = bytes.fromhex(vectors["beacon"]), struct.pack(">QII", vectors["height"], vectors["cell"], 0)
    lanes = [i * i * 7919 % 65_536 - 32_768 for i in range(16_384)]
    seed = bytes.fromhex(vectors["contributions"][1]["seed"])
    key = binomial(b"2pm/one-time-key/v1/key", seed)
    error = binomial(b"2pm/one-time-key/v1/error", seed, beacon, place)
    assert key[:8] == vectors["contributions"][1]["key_first"]
    plain = [error[j] + sum(lanes[4096 * lane + j] << 11 + 20 * lane for lane in range(4)) for j in range(4096)]
    for row, prime in enumerate(primes):
        stream = shake(8 * 8, b"2pm/one-time-key/v1/public", beacon, place, bytes([row]))
        a = [int.from_bytes(stream[8 * j : 8 * j + 8], "little") & 2**46 - 1 for j in range(4)]
        for slot, found in enumerate(vectors["contributions"][1]["c0_first"][0][row]):
            point = pow(root_of(prime), 2 * int(f"{slot:012b}"[::-1], 2) + 1, prime)
            powers = [1]
            for _ in range(4095):
                powers.append(powers[-1] * point % prime)
            at_point = [sum(c * p for c, p in zip(poly, powers, strict=True)) for poly in (key, plain)]
            assert found == (a[slot] * at_point[0] + at_point[1]) % prime


def test_shares_follow_from_the_protocol_in_plain_integers() -> None:
    vectors = load("one_time_key.json")
    seed = bytes.fromhex(vectors["contributions"][1]["seed"])
    stream = shake(4 * 2 * 4096, b"2pm/one-time-key/v1/sharing", seed, struct.pack(">I", 3))
    words = [int.from_bytes(stream[4 * j : 4 * j + 4], "little") % 65_537 for j in range(2 * 4096)]
    key = binomial(b"2pm/one-time-key/v1/key", seed)
    for member in range(1, 6):
        share = [(key[j] + words[j] * member + words[4096 + j] * member**2) % 65_537 for j in range(4096)]
        bits = "".join(f"{value:017b}" for value in share)
        packed = int(bits, 2).to_bytes(8_704, "big")
        assert hashlib.sha256(packed).hexdigest() == vectors["contributions"][1]["packed_shares"][member - 1]


def test_sealing_follows_from_its_parts() -> None:
    vectors = {name: bytes.fromhex(value) for name, value in load("sealing.json").items()}

    def derive(secret: bytes, info: bytes, length: int) -> bytes:
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)

    member = X25519PrivateKey.from_private_bytes(derive(vectors["member_seed"], b"2pm/seal/v1/epoch key", 32))
    ephemeral = vectors["sealed"][:32]
    info = b"2pm/seal/v1/share" + ephemeral + vectors["member_public"] + hashlib.sha256(vectors["context"]).digest()
    derived = derive(member.exchange(X25519PublicKey.from_public_bytes(ephemeral)), info, 64)
    assert derived[32:] == vectors["sealed"][32:64]
    opened = ChaCha20Poly1305(derived[:32]).decrypt(bytes(12), vectors["sealed"][64:], vectors["context"])
    assert opened == vectors["plaintext"]


def test_merkle_vectors_follow_from_hashlib() -> None:
    vectors = load("merkle.json")
    for leaf in vectors["leaves"]:
        data = struct.pack(">BIBI64Q", 0, leaf["chunk"], leaf["prime"], leaf["index"], *leaf["residues"])
        assert hashlib.sha256(data).hexdigest() == leaf["leaf"]
    tree = next(tree for tree in vectors["trees"] if len(tree["leaves"]) == 3)
    a, b, c = (bytes.fromhex(leaf) for leaf in tree["leaves"])
    left = hashlib.sha256(b"\x01" + a + b).digest()
    assert tree["root"] == hashlib.sha256(b"\x01" + left + c).hexdigest()
    assert tree["paths"]["2"] == [left.hex()]
