import pytest

from p2pnode.passphrase import read_passphrase
from protocols.errors import LocalError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("from the file \n")
    path.chmod(0o600)
    return path


def test_environment_then_file_then_the_person(file, monkeypatch):
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "from the environment")
    assert read_passphrase(file, lambda: "asked").reveal() == b"from the environment"
    monkeypatch.delenv("P2PNODE_PASSPHRASE")
    assert read_passphrase(file, lambda: "asked").reveal() == b"from the file "
    assert read_passphrase(None, lambda: "asked").reveal() == b"asked"


def test_what_is_wrong_is_said_and_no_more(file, monkeypatch):
    monkeypatch.delenv("P2PNODE_PASSPHRASE", raising=False)
    with pytest.raises(LocalError, match="nobody can be asked: set P2PNODE_PASSPHRASE"):
        read_passphrase(None, None)
    with pytest.raises(LocalError, match="the passphrase is empty"):
        read_passphrase(None, lambda: "")
    with pytest.raises(LocalError, match=r"cannot read the passphrase .*none"):
        read_passphrase(file.with_name("none"), None)
    file.chmod(0o640)
    with pytest.raises(LocalError, match="others than you may read") as caught:
        read_passphrase(file, None)
    assert "from the file" not in str(caught.value)
