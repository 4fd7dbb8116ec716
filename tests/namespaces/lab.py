"""Hosts that are network namespaces of this machine, joined by a bad wire; and simnet's workers within them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SET_NAME, _TUN, _NO_INFORMATION, _NEW_NETWORK = 0x400454CA, 0x0001, 0x1000, 0x40000000


def need_namespaces() -> None:
    """Skips, and says so, where this process may not make network namespaces; fails on a CI machine."""
    reason = ""
    if shutil.which("ip") is None:
        reason = "there is no `ip` (iproute2)"
    elif os.geteuid() != 0 or subprocess.run(["ip", "netns", "add", "twprobe"], capture_output=True).returncode:
        reason = "CAP_NET_ADMIN is missing (run as root)"
    elif not Path("/dev/net/tun").exists():
        reason = "there is no /dev/net/tun"
    subprocess.run(["ip", "netns", "del", "twprobe"], capture_output=True)
    if reason:
        said = f"{reason}: rounds between hosts with latency and loss were NOT tried"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(said)


def name_of(lab: Path, number: int) -> str:
    """The namespace of a host."""
    return f"tw{zlib.crc32(str(lab).encode()):08x}-{number}"


def address_of(number: int) -> str:
    """The address of a host."""
    return f"10.77.0.{number + 1}"


def enter(namespace: str) -> None:
    """Moves this thread into a namespace; its sockets and its threads will be there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as file:
        if libc.setns(file.fileno(), _NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")


@dataclass
class Carried:
    """Packets that the wire carried and lost; known when it has ended."""

    packets: int = 0
    lost: int = 0


@contextmanager
def hosts(lab: Path, count: int, delay_s: float, loss: float) -> Iterator[Carried]:
    """So many hosts, each of which reaches the others by the wire, for as long as the block lasts."""
    carried = Carried()
    with ExitStack() as stack:
        ends = {}
        for number in range(count):
            ends[number + 1] = stack.enter_context(_host(lab, number))
        command = [sys.executable, "-m", "tests.namespaces.wire", str(delay_s), str(loss)]
        command += [f"{host}={descriptor}" for host, descriptor in ends.items()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        wire = subprocess.Popen(
            command, pass_fds=tuple(ends.values()), cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        try:
            yield carried
        finally:
            wire.terminate()
            said, _ = wire.communicate()
        carried.packets, carried.lost = map(int, said.split())


@contextmanager
def _host(lab: Path, number: int) -> Iterator[int]:
    namespace, device = name_of(lab, number), f"tun{os.getpid() % 10**6}x{number}"
    _ip("netns", "add", namespace)
    end = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(end, _SET_NAME, struct.pack("16sH22x", device.encode(), _TUN | _NO_INFORMATION))
        _ip("link", "set", device, "netns", namespace)
        for command in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{address_of(number)}/24", "dev", device),
            ("link", "set", device, "mtu", "1400", "up"),
        ):
            _ip("-n", namespace, *command)
        yield end
    finally:
        os.close(end)
        _ip("netns", "del", namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def listener_in(namespace: str, port: int) -> socket.socket:
    """A socket that listens at 127.0.0.1 within a namespace; whoever accepts may be outside."""
    made: list[socket.socket] = []

    def make() -> None:
        enter(namespace)
        made.append(socket.create_server(("127.0.0.1", port)))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def lead_out(listener: socket.socket, port: int) -> None:
    """Passes connections on to this machine's own 127.0.0.1 (the chain is there), until the listener is closed."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one of both is gone

    def accept() -> None:
        while True:
            try:
                inside, _ = listener.accept()
            except OSError:
                return
            outside = socket.create_connection(("127.0.0.1", port))
            for pair in ((inside, outside), (outside, inside)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def be_a_worker_there(commands: Connection, events: Connection, log: Path, flags: str) -> None:
    """simnet's worker, within the namespace that its number says."""
    from simnet.pool import _be_a_worker

    enter(name_of(log.parent, int(log.stem.removeprefix("worker-"))))
    _be_a_worker(commands, events, log, flags)
