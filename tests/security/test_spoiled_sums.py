"""Contributors whose ciphertexts are not what they should be: refused, or the cell counts nothing and is remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protocols.effects import Attest, Conclude, Effect, Effects, Job, Store
from protocols.encryption import message
from protocols.encryption.expand import public_polynomial
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.packing import pack_bits, unpack_bits
from protocols.encryption.ring import DEGREE, PRIME_BITS, PRIMES
from protocols.encryption.scheme import PublicContext, Residues
from protocols.encryption.sharing import add_shares
from protocols.errors import MalformedError
from protocols.rounds.aggregate import add, verify_ciphertexts
from protocols.updates.chunks import chunk_root
from protocols.wire.messages import Header, Spoiled
from tests.protocols.playbook import (
    CELLS,
    MEMBERS,
    ROUND,
    SCHEMA,
    SCHEME,
    VALIDATOR,
    VIEW,
    Behaviour,
    Playbook,
    blamed,
    lanes_of,
    of,
    submit,
    whole_round,
)

AGGREGATORS = VIEW.aggregators(ROUND, 0, 0)
ODD = next(peer for peer in CELLS[0] if peer.key not in AGGREGATORS)
TRUE = np.sum([lanes_of(peer) for peer in CELLS[0]], axis=0)


def headers(play: Playbook) -> set[Header]:
    return {each.certificate.header for peer in MEMBERS for each in of(play.actors[peer.key].effects, Conclude)}


# ------------------------------------------------------------------------------------------- what is no ciphertext


def not_below(residues: Residues) -> bytes:
    """The same residue classes on the wire, the small one not reduced: it still fits into its 46 bits."""
    rows = residues.copy()
    rows[0, 5] += np.uint64(PRIMES[0])
    return b"".join(pack_bits(row, bits) for row, bits in zip(rows, PRIME_BITS, strict=True))


def with_a_small_residue() -> Residues:
    """One that leaves room for its prime in 46 bits (one in 120 million does)."""
    residues = SCHEME.unpack(submit(ODD).blobs)[0]
    residues[0, 5] = 17
    return residues


def unpacked_carelessly(packed: bytes) -> Residues:
    half = len(packed) // 2
    return np.stack([unpack_bits(packed[start : start + half], 46, DEGREE) for start in (0, half)])


def test_where_nobody_looks_two_encodings_of_one_ciphertext_have_two_digests_and_sums_are_not_reduced() -> None:
    residues = with_a_small_residue()
    careless = unpacked_carelessly(not_below(residues))
    assert chunk_root(careless, 0) != chunk_root(residues, 0)
    zeros = np.zeros_like(residues)
    assert (SCHEME.add([careless[None], careless[None]]) >= np.array(PRIMES, np.uint64)[:, None]).any()
    assert not (SCHEME.add([residues[None], zeros[None]]) >= np.array(PRIMES, np.uint64)[:, None]).any()


def test_a_residue_that_is_not_below_its_prime_is_refused_whatever_its_digest_says() -> None:
    packed = not_below(with_a_small_residue())
    digest = chunk_root(unpacked_carelessly(packed), 0)
    with pytest.raises(MalformedError, match="not below its prime"):
        verify_ciphertexts(SCHEME, [packed], [digest])


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda _: b"", lambda b: b[46:] + b[:46]])
def test_wrong_lengths_and_other_bytes_are_refused(change: Callable[[bytes], bytes]) -> None:
    made = submit(ODD)
    with pytest.raises(MalformedError):
        verify_ciphertexts(SCHEME, [change(made.blobs[0])], made.manifest.chunk_roots)


def test_a_ciphertext_of_another_index_is_refused() -> None:
    """Added where it does not belong, it would be under another public polynomial."""
    made = submit(ODD)
    verify_ciphertexts(SCHEME, made.blobs, made.manifest.chunk_roots, first=0)
    with pytest.raises(MalformedError, match="digest"):
        verify_ciphertexts(SCHEME, made.blobs, made.manifest.chunk_roots, first=1)
    with pytest.raises(MalformedError, match="1 chunks for 2 digests"):
        verify_ciphertexts(SCHEME, made.blobs, made.manifest.chunk_roots * 2)


def serving_junk(effect: Effect) -> Effects:
    """The manifest promises a sound ciphertext, and the disk holds residues of all ones."""
    if not isinstance(effect, Store) or not effect.durable:
        return [effect]
    return [dataclasses.replace(effect, blobs=tuple((digest, b"\xff" * len(blob)) for digest, blob in effect.blobs))]


def test_who_serves_no_ciphertext_is_named_and_left_out() -> None:
    play = whole_round({ODD.key: serving_junk})
    (header,) = headers(play)
    assert [result.contributors for result in header.cells] == [3, 4]
    assert set(blamed(play.effects())) == {ODD.key}
    assert len(of(play.actors[VALIDATOR.key].effects, Attest)) == 1


# -------------------------------------------------------------------------------- ciphertexts of what nobody may say


class Adding(OneTimeKeyScheme):
    """Encrypts rightly, and adds a polynomial of its choice."""

    def __init__(self, delta: Residues) -> None:
        super().__init__()
        self._delta = delta

    def encrypt(self, *arguments: Any) -> Residues:
        return self.ring.add(super().encrypt(*arguments), self._delta)


def polynomial(coefficient: int) -> Residues:
    """NTT form of a constant added to every coefficient."""
    return SCHEME.ring.forward(SCHEME.ring.reduce(np.full(DEGREE, coefficient, dtype=np.int64)))


LANE = 1 << 11
ODDITIES = {
    "a value thirty times its bound": polynomial(30_000 * LANE),
    "a value that leaves its lane": polynomial((1 << 19) * LANE),
    "an error beyond its bound": polynomial(1_500),
    "no message at all": SCHEME.ring.forward(np.stack([np.arange(DEGREE, dtype=np.uint64) * 7_919_000_003] * 2)),
}


def adding(delta: Residues) -> Behaviour:
    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Job) or effect.purpose != "encrypt":
            return [effect]
        return [dataclasses.replace(effect, arguments=(Adding(delta), *effect.arguments[1:]))]

    return behaviour


def summed_with(delta: Residues) -> tuple[Residues, dict[int, Any], PublicContext]:
    """The cell's sum with a polynomial more, and the right summed shares."""
    made = [submit(peer) for peer in CELLS[0]]
    total = add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made]).residues
    released = {member: add_shares([each.share(member) for each in made]) for member in (1, 2, 3)}
    return SCHEME.ring.add(total, delta), released, PublicContext(VIEW.round_beacon(ROUND), ROUND, 0)


def test_an_opener_that_looks_at_no_range_takes_a_sum_that_one_contributor_made_up() -> None:
    sums = SCHEME.open(*with_layout(*summed_with(ODDITIES["a value thirty times its bound"]))).lanes
    assert (sums == TRUE + 30_000).all()


def test_an_opener_that_looks_at_no_noise_reads_wrong_values() -> None:
    total, released, context = summed_with(ODDITIES["an error beyond its bound"])
    right, *_ = summed_with(np.zeros_like(polynomial(0)))
    key = np.frombuffer(SCHEME.open(*with_layout(right, released, context)).key, "<i2").astype(np.int64)
    mask = SCHEME.ring.product(public_polynomial(context, 0), SCHEME.ring.forward(SCHEME.ring.reduce(key)))
    lanes, _ = message.decode(SCHEME.ring, SCHEME.ring.inverse(SCHEME.ring.subtract(total, mask)))
    assert (lanes[:6] != TRUE).all()


def with_layout(total: Residues, released: dict[int, Any], context: PublicContext) -> tuple[Any, ...]:
    return total, context, released, 3, 4, SCHEMA.layout


@pytest.mark.parametrize("oddity", sorted(ODDITIES))
def test_with_us_the_cell_counts_nothing_nobody_is_blamed_and_its_set_is_remembered(oddity: str) -> None:
    play = whole_round({ODD.key: adding(ODDITIES[oddity])})
    (header,) = headers(play)
    assert [result.contributors for result in header.cells] == [0, 4]
    assert header.suspects.spoiled == (Spoiled(ROUND, VIEW.cells[0]),)
    assert header.suspects.excluded == ()
    assert blamed(play.effects()) == {}, "no member, no aggregator and no neighbour"
    assert len(of(play.actors[VALIDATOR.key].effects, Attest)) == 1
