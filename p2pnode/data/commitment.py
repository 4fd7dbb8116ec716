"""What a provider says of its data without showing any: a Merkle root over its rows, each hidden by a salt of its own.

A row hashes as SHA-256(0x00 || index u64 || salt, 32 bytes || its features and its label as float64), big-endian; nodes
are `protocols.merkle`'s. Salts follow from the owner's key, the subnet and the rows themselves. So the owner alone can
compute them, at any time and from its file, and nobody can try values against what it has shown of the tree; and a row
that was shown once tells nothing of the rows of a later file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from p2pnode.data.schema import DataSchema, Examples
from protocols.hashing import tagged
from protocols.merkle import root
from protocols.types import Digest, Secret


@dataclass(frozen=True, slots=True)
class Commitment:
    """What goes on the chain of a data set; 32 bytes each, and how many rows there are."""

    schema: Digest
    root: Digest
    rows: int


def schema_digest(schema: DataSchema) -> Digest:
    """32 bytes that name the columns: their names, kinds, ranges and categories, in their order."""
    parts: list[bytes | int] = []
    for column in schema.columns:
        parts += [column.name.encode(), column.kind.value.encode(), f"{column.low!r} {column.high!r}".encode()]
        parts += [len(column.categories), *(category.encode() for category in column.categories)]
    return tagged("data-schema", *parts)


def commitment(examples: Examples, schema: DataSchema, key: Secret, subnet: int) -> Commitment:
    """What the owner of `key` (32 bytes) commits to with these rows, at least one, in a subnet."""
    digest, rows = schema_digest(schema), list(_rows(examples))
    seed = tagged("data-salts", key.reveal(), subnet, digest, hashlib.sha256(b"".join(rows)).digest())
    leaves = [_leaf(index, tagged("data-salt", seed, index), row) for index, row in enumerate(rows)]
    return Commitment(digest, root(leaves), len(rows))


def _rows(examples: Examples) -> Iterator[bytes]:
    for features, label in zip(examples.x, examples.y, strict=True):
        yield np.append(features, label).astype(">f8").tobytes()


def _leaf(index: int, salt: bytes, row: bytes) -> Digest:
    return Digest(hashlib.sha256(b"\0" + index.to_bytes(8, "big") + salt + row).digest())
