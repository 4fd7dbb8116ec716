from __future__ import annotations

import numba
import pytest

from protocols.encryption.kernels import compiled


def test_where_nothing_can_be_kept_kernels_are_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_a_cache(**options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    def kernel() -> None: ...

    monkeypatch.setattr(numba, "njit", refuse_a_cache)
    assert compiled(kernel) is kernel
