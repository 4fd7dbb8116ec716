"""Proofs of wrong sums: all that a court needs that knows nothing of the round (contracts/src/interfaces/ICourt.sol).

An aggregator answers with its operator's stake for what it adds: it signs, by EIP-712, which updates it added and what
came out (protocols/README.md, section 7). One leaf of 64 residues, added wrongly, convicts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

import numpy as np

from protocols import merkle
from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError
from protocols.params import CELL_MAX
from protocols.rounds.cells import indices
from protocols.rounds.epoch import EpochView
from protocols.types import Address, Digest, Height, PeerKey
from protocols.updates.chunks import update_root, verify_chunk
from protocols.wire.codec import U8, U16, U32, U64, Bytes32, Bytes64, Size
from protocols.wire.messages import Aggregate, Manifest

LEAF_BYTES: Final = 8 * merkle.LEAF_RESIDUES
LEVELS: Final = 7
"""Of a chunk's own tree: 2 primes of 64 leaves."""
PROOF_MAX_BYTES: Final = 64 * 1024
KIND: Final = "offence"
"""Of the journal's records: a proof that is to be brought to the court, once."""

_Path = Annotated[tuple[Digest, ...], Size(0, 64)]


@dataclass(frozen=True, slots=True)
class SumStatement:
    """What an aggregator answers for: of the sum of these updates, its part has this root.

    Attributes:
        chunks: ciphertexts of each update.
        roots: of the contributors' updates, in the order of the certified set.
        summed: how many ciphertexts it added: those of its stripes, ascending.
        sum_root: the root over the roots of these sums.
    """

    subnet: U32
    epoch: U32
    height: Height
    cell: U16
    chunks: U32
    roots: Annotated[tuple[Digest, ...], Size(1, CELL_MAX)]
    summed: U32
    sum_root: Digest


@dataclass(frozen=True, slots=True)
class Stated:
    """Any statement as the chain knows it: contracts/src/Statements.sol says what kind, place and value mean."""

    kind: U8
    subnet: U64
    epoch: U64
    height: U64
    place: U64
    value: Bytes32

    @property
    def slot(self) -> tuple[int, int, int, int]:
        """An operator may make one statement for each."""
        return self.kind, self.subnet, self.height, self.place


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What the operator stated once, and otherwise. Whoever makes one has verified both signatures."""

    operator: Address
    first: Stated
    first_signature: Bytes64
    second: Stated
    second_signature: Bytes64


class Statements(Protocol):
    """The operator's own signature, and everybody's: they need another curve and another hash than the rules have."""

    def sign_sum(self, stated: SumStatement) -> bytes:
        """This operator's signature, 64 bytes; the same for the same statement."""
        ...

    def signer_of_sum(self, stated: SumStatement, signature: bytes) -> Address | None:
        """Whose signature it is; None: nobody's."""
        ...

    def of_sum(self, stated: SumStatement) -> Stated:
        """The same as the chain knows it."""
        ...

    def signer_of(self, stated: Stated, signature: bytes) -> Address | None:
        """Whose signature of any statement it is; None: nobody's."""
        ...


@dataclass(frozen=True, slots=True)
class WrongSum:
    """Told by whoever added a cell itself: this aggregator's statement is wrong, in this chunk first.

    Attributes:
        manifests: the contributors', in the order of the set.
        contributors: in the same order.
    """

    culprit: PeerKey
    aggregate: Aggregate
    stated: SumStatement
    chunk: int
    contributors: tuple[PeerKey, ...]
    manifests: tuple[Manifest, ...]

    @property
    def summed(self) -> list[int]:
        """The chunks that the aggregator added, in order."""
        return [index for stripe in self.aggregate.stripes for index in indices(stripe, self.stated.chunks)]

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Of the chunk in each contributor's update, and then in the sum."""
        position = self.summed.index(self.chunk)
        return (*(each.chunk_roots[self.chunk] for each in self.manifests), self.aggregate.chunk_roots[position])


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """64 residues of 8 bytes, big-endian, and the siblings from their leaf up to the update's root."""

    residues: Annotated[bytes, Size(LEAF_BYTES, LEAF_BYTES)]
    path: _Path


@dataclass(frozen=True, slots=True)
class SumProof:
    """One leaf of each contributor, and the aggregator's, which is not their sum.

    Attributes:
        chunk, prime, index: which leaf.
        summed_at: where the chunk stands among those that were added.
    """

    culprit: PeerKey
    stated: SumStatement
    signature: Bytes64
    chunk: U32
    prime: U8
    index: U32
    summed_at: U32
    contributions: Annotated[tuple[ProvenLeaf, ...], Size(1, CELL_MAX)]
    result: ProvenLeaf


Proof = SumProof | Contradiction
"""What a court judges."""


def proof_holds(proof: SumProof, primes: Sequence[int]) -> bool:
    """Judges a proof as the court does, but for the signature: whether each leaf leads to its root, and they differ."""
    stated, total = proof.stated, np.zeros(merkle.LEAF_RESIDUES, dtype=object)
    if len(proof.contributions) != len(stated.roots) or proof.prime >= len(primes):
        return False
    for proven, root in zip(proof.contributions, stated.roots, strict=True):
        if not _leads(proof, proven, proof.chunk, stated.chunks, root):
            return False
        total += np.frombuffer(proven.residues, ">u8").astype(object)
    if not _leads(proof, proof.result, proof.summed_at, stated.summed, stated.sum_root):
        return False
    return bool((total % primes[proof.prime] != np.frombuffer(proof.result.residues, ">u8").astype(object)).any())


def _leads(proof: SumProof, proven: ProvenLeaf, place: int, count: int, root: Digest) -> bool:
    residues = np.frombuffer(proven.residues, ">u8").astype(np.uint64)
    node, position = merkle.leaf(proof.chunk, proof.prime, proof.index, residues), proof.prime * 64 + proof.index
    for sibling in proven.path[:LEVELS]:
        left, right = (sibling, node) if position % 2 else (node, sibling)
        node, position = merkle.node(left, right), position // 2
    return len(proven.path) >= LEVELS and merkle.verify(root, node, place, count, proven.path[LEVELS:])


def sum_statement(
    view: EpochView, height: Height, aggregate: Aggregate, chunks: int, manifests: Sequence[Manifest]
) -> SumStatement:
    """What the aggregator that announces this has to sign; `manifests` in the order of the certified set."""
    roots = tuple(update_root(each.chunk_roots) for each in manifests)
    summed, root = len(aggregate.chunk_roots), update_root(aggregate.chunk_roots)
    return SumStatement(view.subnet, view.epoch, height, aggregate.cell, chunks, roots, summed, root)


def prove_wrong_sum(scheme: Scheme, wrong: WrongSum, packed: Sequence[bytes]) -> SumProof:
    """The job: the first leaf that is not the sum.

    Args:
        scheme: unpacks and adds.
        wrong: the accusation.
        packed: the chunk of each contributor, and then the aggregator's.

    Raises:
        MalformedError: bytes that are not what their digest promises.
        LocalError: the sum is right.
    """
    digests = wrong.digests
    pairs = zip(packed, digests, strict=True)
    *parts, said = [verify_chunk(each, wrong.chunk, digest, scheme) for each, digest in pairs]
    right = scheme.add([part[None] for part in parts])[0]
    differing = np.argwhere(right != said)
    if not len(differing):
        raise LocalError(f"chunk {wrong.chunk} is the sum of its parts: nobody can be accused of it")
    prime, index = int(differing[0][0]), int(differing[0][1]) // merkle.LEAF_RESIDUES
    summed_at = wrong.summed.index(wrong.chunk)

    def leaf_of(chunk: np.ndarray[tuple[int, ...], np.dtype[np.uint64]], above: tuple[Digest, ...]) -> ProvenLeaf:
        row = chunk[prime, index * merkle.LEAF_RESIDUES : (index + 1) * merkle.LEAF_RESIDUES]
        leaves = merkle.leaves(wrong.chunk, chunk)
        at = prime * (len(leaves) // len(chunk)) + index
        return ProvenLeaf(row.astype(">u8").tobytes(), (*merkle.path(leaves, at), *above))

    places = [merkle.path(each.chunk_roots, wrong.chunk) for each in wrong.manifests]
    contributions = tuple(leaf_of(part, place) for part, place in zip(parts, places, strict=True))
    result = leaf_of(said, merkle.path(wrong.aggregate.chunk_roots, summed_at))
    signature = wrong.aggregate.statement
    return SumProof(wrong.culprit, wrong.stated, signature, wrong.chunk, prime, index, summed_at, contributions, result)
