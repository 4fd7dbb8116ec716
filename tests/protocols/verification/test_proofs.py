"""Proofs of wrong sums, against a wrong sum of one residue; contracts' tests hold the court to the same leaves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from protocols.agreement.certificate import list_digest
from protocols.encryption.ring import PRIMES
from protocols.errors import LocalError, MalformedError
from protocols.rounds.aggregate import add, verify_ciphertexts
from protocols.types import Digest
from protocols.updates.chunks import chunk_roots, update_root
from protocols.verification.proofs import (
    PROOF_MAX_BYTES,
    ProvenLeaf,
    SumProof,
    WrongSum,
    proof_holds,
    prove_wrong_sum,
    sum_statement,
)
from protocols.wire.codec import decode, encode
from protocols.wire.messages import Aggregate, SetList
from tests.protocols.playbook import CELLS, PEERS, ROUND, SCHEME, VIEW, set_of, submit

MADE = sorted((submit(peer) for peer in CELLS[0]), key=lambda each: each.contribution.contributor)
SETS = list_digest(SetList(VIEW.slot(ROUND), (set_of(0, MADE),)))
RIGHT = add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in MADE]).residues
LIAR = PEERS[VIEW.aggregators(ROUND, 0, 0)[0]]


def accused(residues: np.ndarray) -> tuple[WrongSum, list[bytes]]:
    """An aggregator that announced these sums, and what is served."""
    manifests = [each.manifest for each in MADE]
    aggregate = Aggregate(VIEW.slot(ROUND), 0, SETS, (0,), chunk_roots(residues), bytes(64))
    stated = sum_statement(VIEW, ROUND, aggregate, 1, manifests)
    contributors = tuple(each.contribution.contributor for each in MADE)
    wrong = WrongSum(LIAR.key, aggregate, stated, 0, contributors, tuple(manifests))
    return wrong, [*(each.blobs[0] for each in MADE), SCHEME.pack(residues)[0]]


def off_by_one(prime: int, place: int) -> np.ndarray:
    residues = RIGHT.copy()
    residues[0, prime, place] = (int(residues[0, prime, place]) + 1) % PRIMES[prime]
    return residues


def test_what_is_signed_names_every_update_and_the_sum() -> None:
    wrong, _ = accused(RIGHT)
    assert wrong.stated.roots == tuple(update_root(each.manifest.chunk_roots) for each in MADE)
    assert (wrong.stated.epoch, wrong.stated.height, wrong.stated.cell) == (VIEW.epoch, ROUND, 0)
    assert (wrong.stated.chunks, wrong.stated.summed) == (1, 1)


@pytest.mark.parametrize(("prime", "place"), [(0, 0), (0, 4095), (1, 64), (1, 2500)])
def test_one_wrong_residue_is_proven_wherever_it_is(prime: int, place: int) -> None:
    proof = prove_wrong_sum(SCHEME, *accused(off_by_one(prime, place)))
    assert (proof.prime, proof.index, proof.chunk, proof.summed_at) == (prime, place // 64, 0, 0)
    assert proof_holds(proof, PRIMES)
    assert decode(encode(proof), SumProof, PROOF_MAX_BYTES) == proof


def test_a_right_sum_cannot_be_proven_wrong() -> None:
    with pytest.raises(LocalError, match="chunk 0 is the sum of its parts"):
        prove_wrong_sum(SCHEME, *accused(RIGHT))


def test_bytes_that_are_not_the_announced_ones_are_no_evidence() -> None:
    wrong, packed = accused(off_by_one(0, 0))
    with pytest.raises(MalformedError, match="chunk 0 has digest"):
        prove_wrong_sum(SCHEME, wrong, [packed[1], *packed[1:]])


def test_a_proof_that_was_tampered_with_does_not_hold() -> None:
    proof = prove_wrong_sum(SCHEME, *accused(off_by_one(1, 70)))
    leaf, swap = proof.contributions[0], dataclasses.replace
    other = ProvenLeaf(bytes(512), leaf.path)
    for false in (
        swap(proof, contributions=(other, *proof.contributions[1:])),
        swap(proof, contributions=proof.contributions[1:]),
        swap(proof, contributions=proof.contributions[::-1]),
        swap(proof, result=other),
        swap(proof, result=ProvenLeaf(proof.result.residues, proof.result.path[1:])),
        swap(proof, index=proof.index + 1),
        swap(proof, prime=0),
        swap(proof, prime=2),
        swap(proof, chunk=1),
        swap(proof, stated=swap(proof.stated, sum_root=Digest(bytes(32)))),
    ):
        assert not proof_holds(false, PRIMES)
