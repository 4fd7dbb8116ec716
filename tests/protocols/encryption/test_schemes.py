from __future__ import annotations

import pytest

from protocols.encryption.schemes import scheme
from protocols.errors import LocalError
from protocols.params import SCHEMES


def test_schemes_go_by_the_names_of_the_parameters() -> None:
    assert [scheme(name).name for name in SCHEMES] == list(SCHEMES)
    assert [scheme(name).needs_keys for name in SCHEMES] == [True, False]
    with pytest.raises(LocalError, match="known: one-time-key, plaintext"):
        scheme("rot13")
