"""Writes dealing.json, which the contracts' tests read: `python tests/vectors/dealing_vectors.py`.

One dealing to five members with threshold 3, as a contributor makes it, its dealer's statement, and two opened shares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from eth_account import Account

from p2pnode.chain.statements import Kind, Statement, dealing_value, sign
from protocols.encryption.degree import challenge_seed, draw_challenge, draw_masks, prove_degree
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import Share
from protocols.encryption.sealing import DealingKey, EpochKeyPair, find_opening, seal
from protocols.rounds.dealing import pack_dealt, sealed_digest
from protocols.types import Address, Digest, Secret

HERE = Path(__file__).parent
THRESHOLD, MEMBERS = 3, 5
CHAIN, REGISTRY = 77, Address(b"\x11" * 20)
SLOT = (3, 5, 27, 2)
"""Subnet, epoch, height, cell."""
SEED, DEALER = Secret(bytes([9]) * 32), Account.from_key(b"\x08" * 32)


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a dealer made, and every member's opening of it."""

    challenge: bytes
    degree: bytes
    contexts: tuple[bytes, ...]
    sealed: tuple[bytes, ...]
    openings: tuple[bytes, ...]

    @property
    def shares(self) -> tuple[Digest, ...]:
        return tuple(map(sealed_digest, self.sealed))

    @property
    def value(self) -> bytes:
        """What the dealer states of it."""
        return dealing_value(THRESHOLD, self.challenge, self.shares, self.degree)


def deal(change: Callable[[list[Share]], None] = lambda _: None) -> Dealt:
    """A dealing; `change` makes it a bad one, after the dealer has published the right polynomials' combinations."""
    shares, masks = OneTimeKeyScheme().deal(SEED, THRESHOLD, MEMBERS), draw_masks(SEED, THRESHOLD, MEMBERS)
    right = [share.copy() for share in shares]
    change(shares)
    key = DealingKey(SEED)
    pairs = [EpochKeyPair.generate(Secret(bytes([member]) * 32)) for member in range(1, MEMBERS + 1)]
    contexts = tuple(hashlib.sha256(b"context" + bytes([member])).digest() for member in range(1, MEMBERS + 1))
    texts = [pack_dealt(share, mask) for share, mask in zip(shares, masks, strict=True)]
    sealed = tuple(
        seal(key, pair.public, text, context) for pair, text, context in zip(pairs, texts, contexts, strict=True)
    )
    of_all = b"dealing".ljust(32), key.public, tuple(map(sealed_digest, sealed))
    proof = prove_degree(draw_challenge(*of_all), right, masks, THRESHOLD)
    openings = tuple(
        find_opening(pair, key.public, one, context) for pair, one, context in zip(pairs, sealed, contexts, strict=True)
    )
    return Dealt(challenge_seed(*of_all), proof, contexts, sealed, openings)


def one_value(member: int, position: int) -> Callable[[list[Share]], None]:
    """Makes one value of one member's share another."""

    def change(shares: list[Share]) -> None:
        shares[member - 1][position] = np.uint32((int(shares[member - 1][position]) + 1) % 65537)

    return change


def vectors() -> dict[str, object]:
    """All that is in the file."""
    made = deal()
    subnet, epoch, height, cell = SLOT
    statement = Statement(Kind.DEALING, subnet, epoch, height, cell, made.value)
    return {
        "chain_id": CHAIN,
        "registry": f"0x{REGISTRY.hex()}",
        "slot": list(SLOT),
        "threshold": THRESHOLD,
        "challenge": f"0x{made.challenge.hex()}",
        "shares": [f"0x{share.hex()}" for share in made.shares],
        "degree": f"0x{made.degree.hex()}",
        "value": f"0x{made.value.hex()}",
        "signature": f"0x{sign(DEALER, statement, CHAIN, REGISTRY).hex()}",
        "dealer": DEALER.address,
        "opened": [
            {
                "member": member,
                "context": f"0x{made.contexts[member - 1].hex()}",
                "opening": f"0x{made.openings[member - 1].hex()}",
                "sealed": f"0x{made.sealed[member - 1].hex()}",
            }
            for member in (2, 5)
        ],
    }


if __name__ == "__main__":
    (HERE / "dealing.json").write_text(json.dumps(vectors(), indent=1) + "\n")
