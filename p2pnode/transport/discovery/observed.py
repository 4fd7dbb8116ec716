"""Which of the addresses that others see us at is believed. No I/O.

One witness may lie, and one liar may have many keys; so witnesses count once a group of addresses, and only those that
we chose to dial are asked (`identify.watch_address`): whoever comes to us by himself is not heard.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

from p2pnode.transport.discovery.scope import Scope, group_of, scope_of

WITNESSES: Final = 4
"""Groups that must agree, as in go-libp2p's ObservedAddrManager."""
GROUPS_MAX: Final = 32


class Observed:
    """What the newest witness of each group saw."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, str] = OrderedDict()

    def saw(self, witness: str, host: str) -> None:
        """The witness at one IP address saw us at another; what is not of the whole world's is no news."""
        group = group_of(witness)
        if group is None or scope_of(host) is not Scope.WORLD:
            return
        self._seen[group] = host
        self._seen.move_to_end(group)
        while len(self._seen) > GROUPS_MAX:
            self._seen.popitem(last=False)

    @property
    def believed(self) -> str | None:
        """The IP address that enough groups saw, and more than half of all."""
        for host, times in Counter(self._seen.values()).most_common(1):
            if times >= WITNESSES and 2 * times > len(self._seen):
                return host
        return None
