"""A wire between network namespaces: every packet arrives late, and some never.

One TUN device in each namespace ends here. tc's netem would do the same, but is a module that many kernels lack; this
asks for /dev/net/tun alone. The TCP that runs over it is the kernel's own.

Ended by SIGTERM, it says how many packets it has carried and lost.

    python -m tests.namespaces.wire DELAY_S LOSS HOST=DESCRIPTOR...     # HOST: last byte of its IPv4 address
"""

from __future__ import annotations

import heapq
import os
import random
import select
import signal
import sys
import time

PACKET_BYTES = 2048


def forward(delay_s: float, loss: float, ends: dict[int, int]) -> None:
    """Runs until SIGTERM. Packets to whoever is not there are dropped."""
    chance, under_way, number, lost = random.Random(0), [], 0, 0
    poll = select.poll()
    for descriptor in ends.values():
        os.set_blocking(descriptor, False)
        poll.register(descriptor, select.POLLIN)
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(1))
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    poll.register(wake, select.POLLIN)
    while not over:
        patience = max(0.0, under_way[0][0] - time.monotonic()) * 1000 if under_way else None
        for descriptor, _ in poll.poll(patience):
            if descriptor == wake:
                continue
            packet = os.read(descriptor, PACKET_BYTES)
            if len(packet) < 20 or packet[0] >> 4 != 4 or packet[19] not in ends:
                continue
            number += 1
            if chance.random() < loss:
                lost += 1
            else:
                heapq.heappush(under_way, (time.monotonic() + delay_s, number, packet[19], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(under_way)
            try:
                os.write(ends[to], packet)
            except BlockingIOError:
                lost += 1  # its queue is full
    print(number, lost)


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[3:])
    forward(float(sys.argv[1]), float(sys.argv[2]), {int(host): int(descriptor) for host, descriptor in pairs})
