from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from simnet.usage import GARBAGE_THRESHOLD, collect_rarely, used


def test_what_is_used_grows_with_use() -> None:
    before = used()
    ballast = bytearray(b"x") * (64 << 20)
    after = used()
    assert after["rss_bytes"] - before["rss_bytes"] > 0.9 * len(ballast)
    assert after["peak_rss_bytes"] >= 0.95 * after["rss_bytes"]  # the kernel counts the two at different moments
    assert after["cpu_seconds"] >= before["cpu_seconds"] > 0


def test_open_files_are_counted() -> None:
    before = used()["open_files"]
    with Path(os.devnull).open(), Path(os.devnull).open():
        assert used()["open_files"] == before + 2
    assert used()["open_files"] == before


@pytest.fixture
def collector():
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_garbage_is_collected_rarely() -> None:
    collect_rarely()
    assert gc.get_threshold()[0] == GARBAGE_THRESHOLD
    assert gc.get_freeze_count() > 0
