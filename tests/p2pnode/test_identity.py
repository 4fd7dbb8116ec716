import json
import stat

import pytest

from p2pnode.identity import Identity, keys_folder, load_identity, new_identity, open_seed, save_identity, seal_seed
from protocols.errors import LocalError
from protocols.types import Secret

PASSPHRASE = Secret(b"correct horse")
N = 2**4


def secrets_of(identity):
    return identity.peer_seed.reveal(), identity.operator_key.reveal()


def test_keys_come_back_under_their_passphrase_alone(tmp_path):
    identity = new_identity()
    save_identity(tmp_path, identity, PASSPHRASE, scrypt_n=N)
    assert secrets_of(load_identity(tmp_path, PASSPHRASE)) == secrets_of(identity)
    with pytest.raises(LocalError, match=r"the passphrase does not open the peer key .*peer.json"):
        load_identity(tmp_path, Secret(b"wrong"))


def test_new_identities_differ():
    assert new_identity().peer != new_identity().peer
    assert new_identity().operator != new_identity().operator


def test_public_keys_match_known_vectors():
    # RFC 8032, section 7.1, test 1; the account of private key 1 is known from every Ethereum test suite.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    identity = Identity(Secret(seed), Secret((1).to_bytes(32, "big")))
    assert identity.peer.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert identity.operator.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"


def test_files_are_private_and_hold_no_secret(tmp_path):
    identity = new_identity()
    save_identity(tmp_path, identity, PASSPHRASE, scrypt_n=N)
    assert stat.S_IMODE(keys_folder(tmp_path).stat().st_mode) == 0o700
    for file in keys_folder(tmp_path).iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for secret in (*secrets_of(identity), PASSPHRASE.reveal()):
            assert secret not in file.read_bytes()
            assert secret.hex() not in file.read_text()
    assert identity.peer_seed.reveal().hex() not in repr(identity)


def test_keys_are_never_overwritten(tmp_path):
    first = new_identity()
    save_identity(tmp_path, first, PASSPHRASE, scrypt_n=N)
    (keys_folder(tmp_path) / "peer.json").rename(tmp_path / "elsewhere")
    with pytest.raises(LocalError, match="never overwritten: choose another folder"):
        save_identity(tmp_path, new_identity(), PASSPHRASE, scrypt_n=N)
    (tmp_path / "elsewhere").rename(keys_folder(tmp_path) / "peer.json")
    assert load_identity(tmp_path, PASSPHRASE).operator == first.operator


def test_a_folder_without_keys_says_how_to_make_them(tmp_path):
    with pytest.raises(LocalError, match="p2pnode init --folder"):
        load_identity(tmp_path, PASSPHRASE)


def changed(**changes):
    return json.dumps(json.loads(seal_seed(Secret(bytes(32)), PASSPHRASE, scrypt_n=N)) | changes).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"[]", "damaged"),
        (changed(peer="00" * 32), "does not open"),
        (changed(sealed="zz"), "damaged"),
        (changed(sealed=""), "does not open"),
        (changed(scrypt_n=2**40), "at most 2"),
        (changed(version=2), "use a newer p2pnode"),
    ],
)
def test_a_damaged_file_is_told_from_a_wrong_passphrase(data, message):
    with pytest.raises(LocalError, match=message):
        open_seed(data, PASSPHRASE)
