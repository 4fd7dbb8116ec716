import stat

import pytest

from p2pnode.files import explained, make_folder, write_durably
from protocols.errors import LocalError


def test_a_file_is_private_and_leaves_nothing_beside_it(tmp_path):
    write_durably(tmp_path / "a", b"one", replace=True)
    write_durably(tmp_path / "a", b"two", replace=True)
    assert (tmp_path / "a").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_what_must_not_be_replaced_is_kept(tmp_path):
    write_durably(tmp_path / "key", b"old", replace=False)
    with pytest.raises(LocalError, match="key: File exists"):
        write_durably(tmp_path / "key", b"new", replace=False)
    assert (tmp_path / "key").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_file_where_a_folder_should_be_is_explained(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalError, match=r"cannot create the folder .*file/below: Not a directory; a part of the path"):
        make_folder(tmp_path / "file" / "below")


def test_only_oserrors_are_explained(tmp_path):
    with pytest.raises(ZeroDivisionError), explained("divide", tmp_path):
        1 / 0  # noqa: B018  # raising is the point
