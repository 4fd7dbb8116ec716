import copy
import json
import pickle

import pytest

from protocols.types import Role, Secret, short


def test_a_secret_shows_its_length_alone():
    secret = Secret(b"hunter2")
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(<7 secret bytes>)"
    assert secret.reveal() == b"hunter2"


@pytest.mark.parametrize("encode", [pickle.dumps, json.dumps, bytes, copy.copy])
def test_a_secret_can_be_neither_encoded_nor_copied(encode):
    with pytest.raises(TypeError):
        encode(Secret(b"hunter2"))


def test_roles_are_the_bits_that_stand_on_the_chain():
    assert (Role.DATA, Role.COMPUTE, Role.VALIDATOR) == (1, 2, 4)


def test_short_names_are_eight_hex_digits():
    assert short(bytes(range(32))) == "00010203"
