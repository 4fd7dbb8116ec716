import json

import pytest

from p2pnode.chain.keystore import open_operator_key, seal_operator_key
from protocols.errors import LocalError
from protocols.types import Secret

KEY, PASSPHRASE = Secret(bytes(range(1, 33))), Secret(b"testpassword")


def test_a_key_comes_back_under_its_passphrase_alone():
    sealed = seal_operator_key(KEY, PASSPHRASE, scrypt_n=16)
    assert open_operator_key(sealed, PASSPHRASE).reveal() == KEY.reveal()
    assert json.loads(sealed)["version"] == 3
    with pytest.raises(LocalError, match="the passphrase does not open"):
        open_operator_key(sealed, Secret(b"guess"))


def test_the_specifications_own_test_vector_opens():
    # Web3 Secret Storage Definition, PBKDF2 vector.
    vector = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262144,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    }
    key = open_operator_key(json.dumps(vector).encode(), PASSPHRASE)
    assert key.reveal().hex() == "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 3}', b'{"version": 9}'])
def test_other_files_are_refused(data):
    with pytest.raises(LocalError, match="no Ethereum keystore"):
        open_operator_key(data, PASSPHRASE)
