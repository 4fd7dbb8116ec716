import json
import socket
import urllib.error
import urllib.request

import pytest
import trio
from structlog.testing import capture_logs

from p2pnode import telemetry as module
from p2pnode.telemetry import ADDRESS_FILE, LAG_TICK_S, Telemetry
from protocols.errors import LocalError
from protocols.types import PeerKey

PEER = PeerKey(bytes.fromhex("ab" * 32))


EVENTS = [
    ("round", {"height": 4, "epoch": 0}),
    ("phase", {"height": 4, "phase": "train", "seconds": 2.5}),
    ("bytes", {"sent": 1100, "by_kind": {"Blob": 1000}}),
    ("applied", {"height": 4}),
    ("abandoned", {"height": 5, "reason": "late"}),
    ("metrics", {"accuracy": 0.9}),
    ("joined", {"peer": "00"}),
    ("refused", {"kind": "message", "culprit": PEER.hex(), "reason": "junk"}),
    ("unexpected", {"task": "transport", "error": ValueError("x")}),
]


def fetched(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


def test_metrics_and_status_are_served_on_loopback(tmp_path):
    telemetry = Telemetry()
    telemetry.peers(7)
    telemetry.told(task="digits")
    with capture_logs() as logs:
        for name, fields in EVENTS:
            telemetry.observe(name, fields)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        *[("round", "debug"), ("phase", "debug"), ("bytes", "debug"), ("applied", "info"), ("abandoned", "warning")],
        *[("metrics", "info"), ("joined", "info"), ("refused", "warning"), ("unexpected", "error")],
    ]
    with telemetry.served(0, tmp_path) as url:
        assert (tmp_path / ADDRESS_FILE).read_text() == url
        lines = fetched(f"{url}/metrics").splitlines()
        status = json.loads(fetched(f"{url}/status"))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetched(f"{url}/")
    assert {
        "twopm_height 4.0",
        'twopm_phase_seconds_sum{phase="train"} 2.5',
        'twopm_rounds_total{outcome="applied"} 1.0',
        'twopm_rounds_total{outcome="abandoned"} 1.0',
        'twopm_sent_bytes_total{kind="Blob"} 1000.0',
        "twopm_peers 7.0",
        'twopm_refused_total{culprit="abababab",kind="message"} 1.0',
        'twopm_unexpected_exceptions_total{task="transport"} 1.0',
    } <= set(lines)
    assert status == {
        "height": 4,
        "phase": "train",
        "peers": 7,
        "refused": 1,
        "unexpected": 1,
        "last_round": "5 abandoned",
        "state": "joined, takes part from the next epoch on",
        "accuracy": 0.9,
        "task": "digits",
    }
    assert not (tmp_path / ADDRESS_FILE).exists()
    with pytest.raises(urllib.error.URLError):
        fetched(f"{url}/status")


def test_strangers_cannot_make_series_without_end(monkeypatch):
    monkeypatch.setattr(module, "CULPRITS_MAX", 2)
    telemetry = Telemetry()
    with capture_logs() as logs:
        for i in range(5):
            telemetry.refused("gossip", PeerKey(bytes([i]) * 32), "junk")
        telemetry.refused("gossip", None, "junk")
    counts = {
        culprit: telemetry.registry.get_sample_value("twopm_refused_total", {"kind": "gossip", "culprit": culprit})
        for culprit in ("00000000", "01010101", "02020202", "others", "unknown")
    }
    assert counts == {"00000000": 1, "01010101": 1, "02020202": None, "others": 3, "unknown": 1}
    assert [entry["culprit"] for entry in logs][2] == "02020202"


async def test_a_late_loop_is_seen(autojump_clock):
    telemetry = Telemetry()
    with trio.move_on_after(10 * LAG_TICK_S + 0.01):
        await telemetry.watch_loop()
    assert telemetry.registry.get_sample_value("twopm_loop_lag_seconds_count") == 10
    for seconds in (0.3, 0.2):
        telemetry.late(seconds)
    assert telemetry.registry.get_sample_value("twopm_loop_lag_seconds_bucket", {"le": "0.25"}) == 11
    assert telemetry.registry.get_sample_value("twopm_loop_lag_max_seconds") == 0.3


def test_a_port_in_use_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(LocalError, match=f"127.0.0.1:{port}: Address already in use; choose another metrics_port"),
            Telemetry().served(port, tmp_path),
        ):
            pass


def test_status_says_which_part_the_node_plays():
    telemetry = Telemetry()
    me, other = "aa" * 32, "bb" * 32
    telemetry.told(peer=me)
    assert telemetry.status()["state"] == "starting"
    telemetry.observe("epoch", {"epoch": 2, "cells": [[other], [me]], "committee": [other, me]})
    assert telemetry.status()["state"] == "epoch 2: in cell 1 of 2, committee member 2 of 2"
    telemetry.observe("epoch", {"epoch": 3, "cells": [[other]], "committee": [other]})
    assert telemetry.status()["state"] == "epoch 3: looks on"
    telemetry.observe("applied", {"height": 9, "params_digest": "cc" * 32, "seconds": 1.0})
    assert telemetry.status()["last_round"] == "9 applied"
    assert telemetry.status()["params_digest"] == "cc" * 32
    telemetry.observe("finished", {"height": 9, "params_digest": "cc" * 32})
    assert telemetry.status()["state"] == "finished, serves the others"


@pytest.mark.parametrize(
    ("name", "fields", "level"),
    [
        ("anchor-failed", {"height": 1, "reason": "x"}, "warning"),
        ("anchor-refused", {"height": 1, "reason": "x"}, "warning"),
        ("failed", {"task": "disk", "reason": "x"}, "warning"),
        ("verdict", {"ok": False}, "warning"),
        ("verdict", {"ok": True}, "info"),
    ],
)
def test_trouble_is_a_warning(name, fields, level):
    with capture_logs() as logs:
        Telemetry().observe(name, fields)
    assert [entry["log_level"] for entry in logs] == [level]
