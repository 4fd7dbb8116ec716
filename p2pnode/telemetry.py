"""What a node tells of itself: Prometheus metrics at /metrics, and a small JSON at /status, on a loopback port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog
import trio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from p2pnode.files import explained, write_durably
from protocols.errors import LocalError
from protocols.types import PeerKey, short

CULPRITS_MAX: Final = 256
"""Culprits with a series of their own; keys are free to make, so strangers could else fill our memory with series."""
ADDRESS_FILE: Final = "telemetry.url"
LAG_TICK_S: Final = 0.05
LAG_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

_QUIET: Final = {"phase", "bytes", "stale", "round", "release-skipped"}
_WARNINGS: Final = {"abandoned", "diverged", "spoiled", "unreachable", "failed"}
_WARNING_ENDS: Final = ("-failed", "-refused")

_log = structlog.get_logger(__name__)


class Telemetry:
    """One node's counters and its present state; cheap to call, safe from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        new: dict[str, Any] = {"registry": self.registry, "namespace": "twopm"}
        self._height = Gauge("height", "Number of the present round", **new)
        self._rounds = Counter("rounds", "Rounds by how they ended", ["outcome"], **new)
        self._phases = Histogram("phase_seconds", "Time spent in each phase of a round", ["phase"], **new)
        self._peers = Gauge("peers", "Peers connected", **new)
        self._refused = Counter("refused", "What was refused of what came from outside", ["kind", "culprit"], **new)
        self._unexpected = Counter("unexpected_exceptions", "Exceptions that nobody foresaw", ["task"], **new)
        self._late = Histogram("loop_lag_seconds", "How late the event loop was", buckets=LAG_BUCKETS_S, **new)
        self._latest = Gauge("loop_lag_max_seconds", "How late the event loop was at worst", **new)
        self._worst = 0.0
        self._culprits: set[str] = set()
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self.registry.register(_SentBytes(self))
        counted = {"peers": 0, "refused": 0, "unexpected": 0}
        self._status: dict[str, object] = {"state": "starting", "height": None, "phase": None, **counted}

    def told(self, **facts: object) -> None:
        """Adds facts to the status: who we are, the task, the last checkpoint, the accuracy..."""
        with self._lock:
            self._status.update(facts)

    def status(self) -> dict[str, object]:
        """The present state, for people and for `/status`."""
        with self._lock:
            return dict(self._status)

    def observe(self, name: str, fields: Mapping[str, object]) -> None:
        """The node's observer: counts what it knows by name, and logs everything."""
        match name, fields:
            case "refused", {"kind": str(kind), "culprit": str(culprit), "reason": reason}:
                return self.refused(kind, PeerKey(bytes.fromhex(culprit)), str(reason))
            case "unexpected", {"task": str(task), "error": BaseException() as error}:
                return self.unexpected(task, error)
            case "round", {"height": int(height)}:
                self._height.set(height)
                self.told(height=height)
            case "phase", {"phase": str(phase), "seconds": int() | float() as seconds}:
                self._phases.labels(phase).observe(seconds)
                self.told(phase=phase)
            case (("applied" | "abandoned"), {"height": height}):
                self._rounds.labels(name).inc()
                self.told(last_round=f"{height} {name}")
                self.told(**{key: fields[key] for key in ("params_digest", "epsilon") if fields.get(key) is not None})
            case "joined", _:
                self.told(state="joined, takes part from the next epoch on")
            case "epoch", {"epoch": int(epoch), "cells": list(cells), "committee": list(committee)}:
                fields = {**fields, "place": self._place(epoch, cells, committee)}
                self.told(state=fields["place"])
            case "finished", _:
                self.told(state="finished, serves the others")
            case "bytes", {"by_kind": Mapping() as sizes}:
                self._sizes = dict(sizes)
            case "metrics", _:
                self.told(**{key: value for key, value in fields.items() if key != "height"})
        warning = name in _WARNINGS or name.endswith(_WARNING_ENDS) or fields.get("ok") is False
        getattr(_log, "debug" if name in _QUIET else "warning" if warning else "info")(name, **fields)
        return None

    def _place(self, epoch: int, cells: list[list[str]], committee: list[str]) -> str:
        """What part this node plays in an epoch, in words."""
        me = self.status().get("peer")
        parts = [f"in cell {number} of {len(cells)}" for number, cell in enumerate(cells) if me in cell]
        parts += [f"committee member {committee.index(me) + 1} of {len(committee)}"] if me in committee else []
        return f"epoch {epoch}: " + (", ".join(parts) or "looks on")

    def sent_bytes(self) -> dict[str, int]:
        """Message bytes sent so far, by kind."""
        return self._sizes

    def peers(self, count: int) -> None:
        """So many peers are connected."""
        self._peers.set(count)
        self.told(peers=count)

    async def watch_loop(self) -> NoReturn:
        """Notes for ever how late the event loop wakes: what blocks it delays every message."""
        while True:
            due = trio.current_time() + LAG_TICK_S
            await trio.sleep_until(due)
            self.late(trio.current_time() - due)

    def late(self, seconds: float) -> None:
        """The event loop was so late."""
        self._late.observe(seconds)
        if seconds > self._worst:
            self._worst = seconds
            self._latest.set(seconds)

    def refused(self, kind: str, culprit: PeerKey | None, reason: str) -> None:
        """Something from outside was refused; `culprit` is None where blame cannot be proven."""
        self._refused.labels(kind, self._name(culprit)).inc()
        self._count("refused")
        _log.warning("refused", kind=kind, culprit=culprit and short(culprit), reason=reason)

    def unexpected(self, task: str, error: BaseException) -> None:
        """An exception that nobody foresaw ended a task (and nothing else)."""
        self._unexpected.labels(task).inc()
        self._count("unexpected")
        _log.error("unexpected", task=task, exc_info=error)

    @contextmanager
    def served(self, port: int, folder: Path) -> Iterator[str]:
        """Answers on 127.0.0.1:`port` (0: any free one) meanwhile.

        Yields the URL, and leaves it in `folder` for `p2pnode status`.

        Raises:
            LocalError: the port is in use.
        """
        handler = type("Handler", (_Handler,), {"telemetry": self})
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError as error:
            raise LocalError(
                f"cannot serve metrics on 127.0.0.1:{port}: {error.strerror}; choose another metrics_port, 0 for any"
            ) from error
        url = f"http://127.0.0.1:{server.server_port}"
        address_file = folder / ADDRESS_FILE
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="telemetry", daemon=True)
        thread.start()
        try:
            write_durably(address_file, url.encode(), replace=True)
            yield url
        finally:
            with explained("delete", address_file):
                address_file.unlink(missing_ok=True)
            server.shutdown()
            server.server_close()
            thread.join()

    def _count(self, name: str) -> None:
        with self._lock:
            count = self._status[name]
            assert isinstance(count, int)
            self._status[name] = count + 1

    def _name(self, culprit: PeerKey | None) -> str:
        if culprit is None:
            return "unknown"
        name = short(culprit)
        with self._lock:
            if name not in self._culprits and len(self._culprits) >= CULPRITS_MAX:
                return "others"
            self._culprits.add(name)
        return name


class _SentBytes(Collector):
    """The node counts bytes by kind itself; here its newest counts become a metric."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily("twopm_sent_bytes", "Message bytes sent, by kind", labels=["kind"])
        for kind, size in self._telemetry.sent_bytes().items():
            family.add_metric([kind], size)
        yield family


class _Handler(BaseHTTPRequestHandler):
    telemetry: Telemetry
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(CONTENT_TYPE_LATEST, generate_latest(self.telemetry.registry))
        elif self.path == "/status":
            self._answer("application/json", json.dumps(self.telemetry.status(), default=str).encode())
        else:
            self.send_error(404, "only /metrics and /status are here")

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug("telemetry.request", line=format % args)
