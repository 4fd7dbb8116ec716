"""A commitment to data: the same for the same rows, another for any other, and nothing of the values in it."""

import hashlib

import numpy as np
import pytest

from p2pnode.data.commitment import commitment, schema_digest
from p2pnode.data.schema import DataSchema, Examples, category, integer, number
from protocols.hashing import tagged
from protocols.merkle import path, root, verify
from protocols.types import Digest, Secret

SCHEMA = DataSchema(features=(number("age", 0, 120), category("sex", "f", "m")), label=integer("ill", 0, 1))
KEY, OTHER = Secret(b"\x01" * 32), Secret(b"\x02" * 32)
ROWS = Examples(np.array([[30.0, 0], [41.5, 1], [62.0, 1]]), np.array([0, 1, 1]))


def test_the_same_rows_have_the_same_root_whatever_their_type():
    found = commitment(ROWS, SCHEMA, KEY, 7)
    assert found == commitment(ROWS, SCHEMA, KEY, 7)
    assert found == commitment(Examples(ROWS.x.astype(np.float32), ROWS.y.astype(np.uint8)), SCHEMA, KEY, 7)
    assert (found.rows, found.schema) == (3, schema_digest(SCHEMA))


@pytest.mark.parametrize(
    "other",
    [
        commitment(ROWS, SCHEMA, OTHER, 7),
        commitment(ROWS, SCHEMA, KEY, 8),
        commitment(ROWS.take(np.array([0, 1])), SCHEMA, KEY, 7),
        commitment(ROWS.take(np.array([1, 0, 2])), SCHEMA, KEY, 7),
        commitment(Examples(ROWS.x, 1 - ROWS.y), SCHEMA, KEY, 7),
    ],
    ids=["key", "subnet", "fewer", "order", "label"],
)
def test_whatever_differs_has_another_root(other):
    assert other.root != commitment(ROWS, SCHEMA, KEY, 7).root


def test_a_row_can_be_shown_with_its_salt_and_without_it_cannot_be_guessed():
    """Who knows all but one bit of the only row would find it by trying; with a salt it does not."""
    rows = [np.append(x, y).astype(">f8").tobytes() for x, y in zip(ROWS.x, ROWS.y, strict=True)]
    seed = tagged("data-salts", KEY.reveal(), 7, schema_digest(SCHEMA), hashlib.sha256(b"".join(rows)).digest())
    salts = [tagged("data-salt", seed, index) for index in range(3)]

    def leaf(index, salt, row):
        return Digest(hashlib.sha256(b"\0" + index.to_bytes(8, "big") + salt + row).digest())

    leaves, found = [leaf(i, salts[i], rows[i]) for i in range(3)], commitment(ROWS, SCHEMA, KEY, 7)
    assert verify(found.root, leaf(1, salts[1], rows[1]), 1, 3, path(leaves, 1))
    assert not verify(found.root, leaf(1, salts[1], rows[2]), 1, 3, path(leaves, 1))
    one = ROWS.take(np.array([0]))
    guesses = [np.array([30.0, 0, label]).astype(">f8").tobytes() for label in (0, 1)]
    careless = root([leaf(0, b"", guesses[0])])
    assert [root([leaf(0, b"", guess)]) == careless for guess in guesses] == [True, False]
    assert commitment(one, SCHEMA, KEY, 7).root not in [root([leaf(0, b"", guess)]) for guess in guesses]


@pytest.mark.parametrize(
    "changed",
    [
        DataSchema(features=(SCHEMA.features[1], SCHEMA.features[0]), label=SCHEMA.label),
        DataSchema(features=(number("age", 0, 121), SCHEMA.features[1]), label=SCHEMA.label),
        DataSchema(features=(number("years", 0, 120), SCHEMA.features[1]), label=SCHEMA.label),
        DataSchema(features=(integer("age", 0, 120), SCHEMA.features[1]), label=SCHEMA.label),
        DataSchema(features=(SCHEMA.features[0], category("sex", "fm")), label=SCHEMA.label),
    ],
    ids=["order", "range", "name", "kind", "categories"],
)
def test_a_schema_is_named_by_all_of_it(changed):
    assert schema_digest(changed) != schema_digest(SCHEMA)
