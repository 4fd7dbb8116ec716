import dataclasses
import re

from contracts.events import EVENTS, _entries, event


def test_the_dataclasses_have_the_fields_of_the_contracts_events_in_order():
    found = {entry["name"]: entry for entry in _entries().values()}
    assert sorted(found) == sorted(EVENTS)
    assert len(found) == len(_entries()), "two events of one name and as many fields"
    for name, kind in EVENTS.items():
        ours = [field.name for field in dataclasses.fields(kind)]
        assert ours == [snake(field["name"]) for field in found[name]["inputs"]], name


def test_a_foreign_log_is_no_event():
    assert event([b"\x01" * 32], b"") is None
    assert event([], b"") is None


def snake(name):
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
