"""Workers on a Ray cluster. Without Ray only what is said then is tested; the rest is skipped, loudly."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import pytest
import trio

from protocols.errors import LocalError
from simnet.orders import Command
from simnet.ray_pool import Shard, ray_pool
from tests.simnet.real import SMALL, finished, summary

HAVE_RAY = importlib.util.find_spec("ray") is not None


def test_a_shard_passes_lines_and_ends_with_its_input(tmp_path: Path) -> None:
    """The actor's class as it is, without a cluster."""
    shard = Shard()
    shard.begin(str(tmp_path / "logs" / "worker-0.log"), "")
    shard.send(Command(do="mute").model_dump_json().encode() + b"\n")  # not orders
    assert shard.lines() == []
    assert shard.exit_code() == 1
    shard.send(b"to the dead\n")
    assert "Orders" in (tmp_path / "logs" / "worker-0.log").read_text()
    shard.begin(str(tmp_path / "logs" / "worker-0.log"), "")
    shard.kill()
    assert shard.exit_code() == -signal.SIGKILL
    shard.stop(1.0)


@pytest.mark.skipif(HAVE_RAY, reason="Ray is installed")
async def test_without_ray_the_way_to_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"pip install 'twopm\[ray\]'"):
        async with ray_pool(tmp_path / "logs", 1, "local", None):
            raise AssertionError("no cluster, no pool")


@pytest.mark.slow
@pytest.mark.skipif(not HAVE_RAY, reason="pip install 'twopm[ray]' to run simnet on a local Ray cluster here")
def test_a_run_on_a_ray_cluster_ends_as_one_without(tmp_path: Path) -> None:
    finished(*SMALL, "--rounds", 2, "--out", tmp_path / "local")
    finished(*SMALL, "--rounds", 2, "--out", tmp_path / "ray", "--engine", "ray", "--address", "local")
    here, there = summary(tmp_path / "local"), summary(tmp_path / "ray")
    assert there["params_digest"] == here["params_digest"]
    assert there["rounds_applied"] == here["rounds_applied"] == 2
    assert there.keys() == here.keys()
    assert there["peak_rss_bytes"] > 0
    assert (tmp_path / "ray" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.skipif(not HAVE_RAY, reason="pip install 'twopm[ray]' to run simnet on a local Ray cluster here")
async def test_no_cluster_is_a_sentence(tmp_path: Path) -> None:
    with trio.fail_after(120), pytest.raises(LocalError, match="no Ray cluster at 'auto'"):
        async with ray_pool(tmp_path / "logs", 1, "auto", None):
            raise AssertionError("no cluster, no pool")
