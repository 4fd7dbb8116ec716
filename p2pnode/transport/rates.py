"""How often somebody may do something: token buckets, of as many keys as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import trio


class Rates:
    """Allows `per_second` on average and `burst` at once, for each key. The longest unused key is forgotten first."""

    def __init__(self, per_second: float, burst: float, keys: int) -> None:
        self._per_second, self._burst, self._keys = per_second, burst, keys
        self._tokens: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def allows(self, key: Hashable) -> bool:
        """Whether it may do it now; if so, that counts."""
        now = trio.current_time()
        tokens, at = self._tokens.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1.0
        self._tokens[key] = (tokens - 1.0 if allowed else tokens), now
        self._tokens.move_to_end(key)
        if len(self._tokens) > self._keys:
            self._tokens.popitem(last=False)
        return allowed
