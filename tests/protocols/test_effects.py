from __future__ import annotations

from protocols.effects import Fetch, Job
from protocols.types import NO_DIGEST, PeerKey

ONE, TWO, THREE = (PeerKey(bytes([number]) * 32) for number in (1, 2, 3))


def test_a_failed_fetch_goes_to_every_holder_in_turn() -> None:
    fetch = Fetch("sum", "subject", (NO_DIGEST,), (ONE, TWO, THREE), 100)
    again = fetch.elsewhere()
    assert again.holders == (TWO, THREE, ONE)
    assert (again.purpose, again.subject, again.digests, again.max_bytes) == ("sum", "subject", (NO_DIGEST,), 100)
    assert again.elsewhere().elsewhere() == fetch


def test_a_job_shows_neither_function_nor_arguments() -> None:
    assert "topsecret" not in repr(Job("encrypt", print, ("topsecret",)))
