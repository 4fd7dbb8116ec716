"""TCP as py-libp2p's `TCP`, with bytes counted at the socket and without locks around every read and write.

Upstream listens with SO_REUSEPORT (for hole punching), so a second node on the same port starts without an error and
gets half of the first one's connections. `listen` binds exclusively and says what is wrong.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import trio
from libp2p.abc import IListener, IRawConnection, ITransport
from libp2p.custom_types import THandler
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.exceptions import OpenConnectionError
from multiaddr import Multiaddr

from protocols.errors import LocalError

_READ_BYTES = 128 * 1024
_READS_IN_A_ROW = 4

KEEP_ALIVE = {
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 20,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 5,
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 4,
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 40_000,
}
"""A peer that is gone without a word (power, network) is disconnected within 40 s, not after a quarter of an hour."""


@dataclass(slots=True)
class Traffic:
    """Bytes that went through the sockets of one host."""

    sent: int = 0
    received: int = 0


class TCPStream(ReadWriteCloser):
    """One socket, read and written at once where it can be: trio's own calls yield to the scheduler every time.

    The muxer has one reader and one writer, so there is nothing to lock.
    """

    def __init__(self, stream: trio.SocketStream, traffic: Traffic) -> None:
        name = stream.socket.getpeername()
        self._remote = (str(name[0]), int(name[1]))
        self._socket = socket.socket(fileno=stream.socket.detach())
        for (level, option), value in KEEP_ALIVE.items():
            self._socket.setsockopt(level, option, value)
        self._traffic = traffic
        self._reads_in_a_row = 0

    async def read(self, n: int | None = None) -> bytes:
        try:
            while True:
                try:
                    data = self._socket.recv(n or _READ_BYTES)
                    break
                except BlockingIOError:
                    self._reads_in_a_row = 0
                    await trio.lowlevel.wait_readable(self._socket)
        except (OSError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(str(error), transport="tcp") from error
        self._traffic.received += len(data)
        await self._let_others_run()
        return data

    async def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._socket)
        except (OSError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(str(error), transport="tcp") from error
        self._traffic.sent += len(data)

    async def close(self) -> None:
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    def get_remote_address(self) -> tuple[str, int]:
        return self._remote

    async def _let_others_run(self) -> None:
        """A peer that sends without pause must not hold the scheduler."""
        self._reads_in_a_row += 1
        if self._reads_in_a_row >= _READS_IN_A_ROW:
            self._reads_in_a_row = 0
            await trio.lowlevel.checkpoint()


class TCP(ITransport):
    """Dials; listening is `listen` below, since the port must be known before the host is built."""

    def __init__(self, traffic: Traffic, dial_seconds: float) -> None:
        self._traffic = traffic
        self._dial_seconds = dial_seconds

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        host, port = host_and_port(maddr)
        try:
            with trio.fail_after(self._dial_seconds):
                stream = await trio.open_tcp_stream(host, port)
        except trio.TooSlowError as error:
            raise OpenConnectionError(f"no answer within {self._dial_seconds:g} s") from error
        except OSError as error:
            raise OpenConnectionError(_reason(error)) from error
        return RawConnection(TCPStream(stream, self._traffic), True)

    def create_listener(self, handler_function: THandler) -> IListener:
        raise NotImplementedError("the host accepts connections itself: see swarm.py")

    def can_dial(self, maddr: Multiaddr) -> bool:
        return "tcp" in {protocol.name for protocol in maddr.protocols()}

    def can_listen(self, maddr: Multiaddr) -> bool:  # noqa: ARG002  the interface names it
        return False

    def protocols(self) -> list[str]:
        return ["tcp"]


async def listen(address: str) -> list[trio.SocketListener]:
    """Sockets listening on a multiaddr such as /ip4/127.0.0.1/tcp/0.

    Raises:
        LocalError: the address is malformed, its port in use, or it is not one of this machine's.
    """
    try:
        host, port = host_and_port(Multiaddr(address))
    except (ValueError, LookupError) as error:
        raise LocalError(f"cannot listen on {address!r}: write it like /ip4/0.0.0.0/tcp/4001") from error
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise LocalError(f"cannot listen on {address}: {_listen_advice(error)}") from error


def host_and_port(address: Multiaddr) -> tuple[str, int]:
    """The host (an IP or a DNS name) and the TCP port of a multiaddr; raises ValueError if it has none."""
    names = [protocol.name for protocol in address.protocols()]
    if len(names) < 2 or names[0] not in ("ip4", "ip6", "dns", "dns4", "dns6") or names[1] != "tcp":
        raise ValueError(f"{address} names no host and TCP port")
    return str(address.value_for_protocol(names[0])), int(str(address.value_for_protocol("tcp")))


def _reason(error: OSError) -> str:
    causes = getattr(error.__cause__, "exceptions", None) or [error]
    return "; ".join(sorted({cause.strerror or str(cause) for cause in causes}))


def _listen_advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop the program that listens there or choose another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 need privileges; choose a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return "the address is not one of this machine's; use one of its own or /ip4/0.0.0.0"
    return error.strerror or str(error)
