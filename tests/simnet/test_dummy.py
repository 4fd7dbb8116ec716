import numpy as np
import pytest

from protocols.encryption.layout import uniform
from protocols.encryption.one_time_key import SpoiledSumError
from protocols.encryption.scheme import PublicContext
from protocols.encryption.schemes import scheme
from protocols.encryption.sharing import add_shares
from protocols.errors import LocalError
from protocols.params import Params
from protocols.types import Secret
from simnet.dummy import DummyScheme

DUMMY, PLACE, LAYOUT = DummyScheme(), PublicContext(b"beacon", 3, 1), uniform(6)
UPDATES = [np.array([1, -2, 3, -4, 5, number], dtype=np.int64) for number in range(5)]
SEEDS = [Secret(bytes([number]) * 32) for number in range(5)]
TOTAL = DUMMY.add([DUMMY.encrypt(lanes, seed, PLACE) for lanes, seed in zip(UPDATES, SEEDS, strict=True)])
SHARES = [DUMMY.deal(seed, 3, 5) for seed in SEEDS]
RELEASED = {member: add_shares([dealt[member - 1] for dealt in SHARES]) for member in range(1, 6)}


def test_only_the_sum_of_all_opens_and_wrong_shares_are_found() -> None:
    wrong = {**RELEASED, 2: RELEASED[3]}
    opened = DUMMY.open(TOTAL, PLACE, wrong, 3, 5, LAYOUT)
    assert (opened.lanes == sum(UPDATES)).all()
    assert opened.wrong == (2,)


@pytest.mark.parametrize("height", range(40))
def test_a_share_that_is_wrong_in_one_coefficient_is_found(height: int) -> None:
    place = PublicContext(b"beacon", height, 1)
    total = DUMMY.add([DUMMY.encrypt(lanes, seed, place) for lanes, seed in zip(UPDATES, SEEDS, strict=True)])
    for liar in range(1, 5):
        released = {member: RELEASED[member].copy() for member in range(1, 5)}
        released[liar][height] ^= 1
        opened = DUMMY.open(total, place, released, 3, 5, LAYOUT)
        assert (opened.lanes == sum(UPDATES)).all()
        assert opened.wrong == (liar,)


def test_a_key_that_is_not_the_sums_does_not_prove_itself() -> None:
    other = DUMMY.add([TOTAL, DUMMY.encrypt(UPDATES[0], Secret(bytes([9]) * 32), PLACE)])
    with pytest.raises(SpoiledSumError):
        DUMMY.open(other, PLACE, RELEASED, 3, 5, LAYOUT)


def test_no_node_starts_with_it() -> None:
    with pytest.raises(LocalError, match="unknown encryption scheme"):
        scheme("dummy")
    with pytest.raises(LocalError, match="scheme must be one of"):
        Params(scheme="dummy")
