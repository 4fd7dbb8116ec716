from pathlib import Path

import pytest

from protocols.errors import LocalError
from simnet.events import Event, parse_event, read_events

EVENT = Event(1.25, "peer-00", "applied", {"height": 3, "params_digest": "ab"})


def test_a_line_and_back() -> None:
    assert EVENT.line() == '{"at":1.25,"node":"peer-00","event":"applied","height":3,"params_digest":"ab"}'
    assert parse_event(EVENT.line()) == EVENT


def test_a_torn_tail_is_passed_over_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(EVENT.line() + "\n" + EVENT.line()[:20])
    assert list(read_events(path)) == [EVENT]
    path.write_text(EVENT.line() + "\nnonsense\n")
    with pytest.raises(LocalError, match="line 2"):
        list(read_events(path))
    with pytest.raises(LocalError, match="No such file"):
        list(read_events(tmp_path / "missing"))
