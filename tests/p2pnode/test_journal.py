import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from p2pnode import journal as module
from p2pnode.journal import Journal, encode_record, scan
from protocols.errors import LocalError

payloads = st.lists(st.binary(max_size=40), max_size=6)


def test_records_survive_a_reopening_in_order(tmp_path):
    first = Journal(tmp_path / "journal")
    for record in (b"one", b"", b"three" * 1000):
        first.append(record)
    first.close()
    second = Journal(tmp_path / "journal")
    second.append(b"four")
    assert second.records() == (b"one", b"", b"three" * 1000, b"four")


@given(payloads, st.data())
def test_any_cut_leaves_a_prefix_of_the_records(records, data):
    whole = b"".join(map(encode_record, records))
    cut = data.draw(st.integers(0, len(whole)))
    found, end = scan(whole[:cut])
    assert found == tuple(records[: len(found)])
    assert end == sum(len(encode_record(record)) for record in found) <= cut
    if cut == len(whole):
        assert found == tuple(records)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(1, 255), st.data())
def test_any_changed_byte_is_seen(records, change, data):
    whole = bytearray(b"".join(map(encode_record, records)))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= change
    with pytest.raises(ValueError, match="at byte"):
        scan(bytes(whole))


@given(payloads, st.integers(0, 100))
def test_a_tail_of_zeros_that_the_file_system_left_is_torn(records, zeros):
    whole = b"".join(map(encode_record, records))
    assert scan(whole + bytes(zeros)) == (tuple(records), len(whole))


def test_a_torn_tail_is_cut_off_with_a_warning(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(encode_record(b"whole") + encode_record(b"torn")[:-1])
    with capture_logs() as logs:
        journal = Journal(path)
    assert [(entry["event"], entry["bytes"]) for entry in logs] == [("journal.torn_tail_cut", 15)]
    journal.append(b"next")
    assert journal.records() == (b"whole", b"next")


def test_damage_in_the_middle_names_file_and_offset_and_changes_nothing(tmp_path):
    path = tmp_path / "journal"
    damaged = bytearray(encode_record(b"first") + encode_record(b"second") + encode_record(b"third"))
    damaged[len(encode_record(b"first")) + 14] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(LocalError, match=rf"{path} is damaged: record 1 at byte 17 .*backup"):
        Journal(path)
    assert path.read_bytes() == damaged


def test_two_processes_cannot_hold_one_journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    script = (
        f"from pathlib import Path; from p2pnode.journal import Journal; Journal(Path({str(tmp_path)!r}) / 'journal')"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "another node is running in" in other.stderr
    journal.close()
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_a_refused_write_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal")
    journal.append(b"before")

    def full(file, data, offset):
        os.pwrite(file, data[:9], offset)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_all", full)
        with pytest.raises(LocalError, match="No space left on device; free some space"):
            journal.append(b"lost")
    journal.append(b"after")
    assert journal.records() == (b"before", b"after")


def test_a_folder_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalError, match="cannot create the folder"):
        Journal(tmp_path / "file" / "journal")


def test_a_record_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RECORD_BYTES_MAX", 3)
    with pytest.raises(LocalError, match="4 bytes, 3 at most"):
        Journal(tmp_path / "journal").append(b"four")
