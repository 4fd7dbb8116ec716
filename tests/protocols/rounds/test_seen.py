from __future__ import annotations

import pytest

from protocols.errors import RemoteError
from protocols.rounds.seen import KIND, SeenDealings, Taken
from protocols.types import Digest, Height


def digest(name: str) -> Digest:
    return Digest(name.encode().ljust(32))


def taken(manifest: str, *marks: str) -> Taken:
    return Taken(digest(manifest), tuple(map(digest, marks)))


FIRST = taken("first", "key", "root", "share 1", "share 2")
COPIES = [
    taken("second", "key", "other root", "other share"),
    taken("second", "other key", "root", "other share"),
    taken("second", "other key", "other root", "share 2"),
]


@pytest.mark.parametrize("copy", COPIES, ids=["key", "ciphertexts", "share"])
@pytest.mark.parametrize("height", [3, 4], ids=["same round", "after a void round"])
def test_no_part_of_a_dealing_shows_again(copy: Taken, height: int) -> None:
    seen = SeenDealings()
    seen.take(Height(3), FIRST)
    with pytest.raises(RemoteError, match="repeats"):
        seen.take(Height(height), copy)
    seen.take(Height(height), taken("third", "third key", "third root"))


def test_the_same_dealing_may_come_as_often_as_it_is_sent() -> None:
    seen = SeenDealings()
    for _ in range(3):
        seen.take(Height(3), FIRST)
    assert len(seen.record(Height(3))) == 1
    assert seen.record(Height(3)) == []


def test_what_was_refused_leaves_no_mark() -> None:
    seen = SeenDealings()
    seen.take(Height(3), FIRST)
    with pytest.raises(RemoteError):
        seen.take(Height(3), COPIES[0])
    seen.take(Height(3), taken("honest", "honest key", "other root"))


def test_a_restart_does_not_forget() -> None:
    seen = SeenDealings()
    seen.take(Height(3), FIRST)
    seen.take(Height(4), taken("later", "later key", "later root"))
    journal = [*seen.record(Height(3)), *seen.record(Height(4))]
    assert [(record.kind, record.height) for record in journal] == [(KIND, 3), (KIND, 4)]
    again = SeenDealings(journal)
    with pytest.raises(RemoteError, match="repeats"):
        again.take(Height(5), COPIES[1])
    again.take(Height(3), FIRST)
    assert again.record(Height(3)) == [], "it is written down already"


def test_with_the_epoch_the_marks_go() -> None:
    seen = SeenDealings()
    seen.take(Height(3), FIRST)
    seen.take(Height(5), taken("later", "later key", "later root"))
    seen.forget(below=5)
    assert seen.record(Height(3)) == []
    seen.take(Height(6), COPIES[0])
    with pytest.raises(RemoteError):
        seen.take(Height(6), taken("copy", "later key", "x"))
