from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from p2pnode.learning.modules import KNOWN_TASKS, find_module, local_option, read_options
from protocols.errors import LocalError


@dataclass(frozen=True)
class Options:
    epochs: int = 1
    rate: float = 0.1
    data: str = local_option("")


def test_our_tasks_are_found():
    assert KNOWN_TASKS == ("breast_cancer", "digits", "mnist", "spector")
    found = find_module("digits")
    assert found.digest == hashlib.sha256(found.path.read_bytes()).digest()


def test_a_module_runs_once_a_process(tmp_path):
    path = tmp_path / "once.py"
    path.write_text("from dataclasses import dataclass\n@dataclass\nclass Options: ...\ndef define(options): ...\n")
    assert find_module(str(path)).load() is find_module(str(path)).load()


def test_text_is_read_as_numbers():
    options = read_options(Options, {"epochs": "3", "rate": "0.5", "data": "file.npz"}, "mine")
    assert options == Options(3, 0.5, "file.npz")
    assert isinstance(read_options(Options, {"rate": 1}, "mine").rate, float)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": 1}, "task 'mine' has no option 'speed'; it has epochs, rate, data"),
        ({"epochs": "many"}, "option 'epochs' must be int, not 'many'"),
        ({"epochs": 1.5}, "option 'epochs' must be int, not 1.5"),
        ({"rate": ""}, "option 'rate' must be float"),
    ],
)
def test_wrong_options_are_named(given, message):
    with pytest.raises(LocalError, match=message):
        read_options(Options, given, "mine")


def test_no_task_is_longer_than_its_story():
    """A task reads at one sitting; what is general belongs to the building blocks."""
    folder = Path(find_module("digits").path).parent
    assert all(len(path.read_text().splitlines()) <= 100 for path in folder.glob("*.py"))
