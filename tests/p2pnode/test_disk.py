import pytest

from p2pnode.disk import FolderDisk
from p2pnode.ports import Disk
from protocols.errors import LocalError
from protocols.types import Digest

NAME = Digest(bytes(range(32)))


def test_records_and_blobs_are_there_again_after_a_restart(tmp_path):
    with FolderDisk(tmp_path / "node", 1000) as disk:
        port: Disk = disk
        port.append(b"record")
        port.put(NAME, b"blob", durable=True)
    with FolderDisk(tmp_path / "node", 1000) as disk:
        assert disk.records() == (b"record",)
        assert disk.get(NAME) == b"blob"
        disk.drop(NAME)
        assert disk.get(NAME) is None


def test_one_folder_serves_one_node(tmp_path):
    with FolderDisk(tmp_path, 1000), pytest.raises(LocalError, match="another node is running in"):
        FolderDisk(tmp_path, 1000)
    FolderDisk(tmp_path, 1000).close()


def test_a_failed_opening_lets_go_of_the_journal(tmp_path):
    (tmp_path / "blobs").write_bytes(b"not a folder")
    with pytest.raises(LocalError, match="blobs"):
        FolderDisk(tmp_path, 1000)
    (tmp_path / "blobs").unlink()
    FolderDisk(tmp_path, 1000).close()
