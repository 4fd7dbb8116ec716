"""The vectors are what the code computes, and what an independent reading of the protocol computes from scratch."""

from __future__ import annotations

import hashlib
import json
import runpy
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
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


def test_messages_of_any_width_follow_from_the_protocol_in_plain_integers() -> None:
    vectors, primes, packed = load("layout.json"), (70368743587841, 70368743669761), []
    for count, bits in vectors["sections"]:
        width, per = bits + 4, 80 // (bits + 4)
        lanes = [i * 7919 % 2**bits - 2 ** (bits - 1) for i in range(count)]
        for first in range(0, count, 4096 * per):
            held = (lanes[first : first + 4096 * per] + [0] * 4096 * per)[: 4096 * per]
            plain = [sum(held[4096 * lane + j] << 11 + width * lane for lane in range(per)) for j in range(4096)]
            rows = [[value % prime for value in plain] for prime in primes]
            assert [row[:4] for row in rows] == vectors["messages_first"][len(packed)]
            packed.append(b"".join(int("".join(f"{x:046b}" for x in row), 2).to_bytes(23_552, "big") for row in rows))
    assert [hashlib.sha256(each).hexdigest() for each in packed] == vectors["packed"]


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


def derive(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


def test_sealing_follows_from_its_parts() -> None:
    vectors = {name: bytes.fromhex(value) for name, value in load("sealing.json").items()}
    context, dealing = vectors["context"], vectors["dealing_public"]
    Ed25519PublicKey.from_public_bytes(dealing).verify(vectors["proof"], b"2pm/seal/v2/proof\0" + context)
    prime, y = 2**255 - 19, int.from_bytes(dealing, "little") % 2**255
    ephemeral = ((1 + y) * pow(1 - y, -1, prime) % prime).to_bytes(32, "little")
    private, sealed = derive(vectors["member_seed"], b"2pm/seal/v2/epoch key", 96), vectors["sealed"]
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64])
    curve = X25519PrivateKey.from_private_bytes(private[64:])
    public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    assert public == vectors["member_public"]
    secrets = lattice.decapsulate(sealed[:1088]) + curve.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    hashes = [hashlib.sha256(part).digest() for part in (sealed[:1088], public, context)]
    opening = derive(secrets, b"2pm/seal/v2/opening" + ephemeral + b"".join(hashes), 32)
    assert opening == vectors["opening"]
    derived = derive(opening, b"2pm/seal/v2/share" + hashes[2], 64)
    assert derived[32:] == sealed[1088:1120]
    opened = ChaCha20Poly1305(derived[:32]).decrypt(bytes(12), sealed[1120:], context)
    assert opened == vectors["plaintext"]


def field_elements(count: int, *parts: bytes) -> list[int]:
    stream = shake(4 * count, *parts)
    return [int.from_bytes(stream[4 * j : 4 * j + 4], "little") % 65_537 for j in range(count)]


def test_the_degree_proof_follows_from_the_protocol_in_plain_integers() -> None:
    vectors = load("degree.json")
    seed, digests = bytes.fromhex(vectors["seed"]), b"".join(map(bytes.fromhex, vectors["sealed_digests"]))
    drawn = field_elements(3 * 9, b"2pm/dealing/v1/masks", seed, struct.pack(">I", 3))
    masks = [[sum(drawn[9 * k + c] * i**k for k in range(3)) % 65_537 for c in range(9)] for i in range(1, 6)]
    assert masks == vectors["masks"]
    parts = bytes.fromhex(vectors["context"]), bytes.fromhex(vectors["dealing_public"]), digests
    framed = (struct.pack(">I", len(part)) + part for part in (b"2pm/dealing/v2/challenge", *parts))
    challenge = hashlib.sha256(b"".join(framed)).digest()
    drawn = b"".join(hashlib.sha256(challenge + struct.pack(">I", block)).digest() for block in range(288))
    e = [int.from_bytes(drawn[at : at + 8], "big") % 65_537 for at in range(0, len(drawn), 8)]
    key = binomial(b"2pm/one-time-key/v1/key", seed)
    words = field_elements(2 * 4096, b"2pm/one-time-key/v1/sharing", seed, struct.pack(">I", 3))
    for i in range(1, 6):
        share = [key[j] + words[j] * i + words[4096 + j] * i**2 for j in range(4096)]
        for c in range(9):
            total = sum(e[128 * c + j // 64] * e[128 * c + 64 + j % 64] * share[j] for j in range(4096))
            assert (total + masks[i - 1][c]) % 65_537 == vectors["combined"][i - 1][c]
    bits = "".join(f"{value:017b}" for row in vectors["combined"][:3] for value in row)
    padded = bits + "0" * (-len(bits) % 8)
    assert int(padded, 2).to_bytes(len(padded) // 8, "big").hex() == vectors["degree"]


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
