from simnet.events import Event
from simnet.history import history_of
from tests.simnet.recorded import C, recorded


def test_who_dropped_when() -> None:
    assert history_of(recorded()).dropped == {(0, C)}


def test_a_restarted_node_counts_its_earlier_life() -> None:
    def sent(amount: int) -> Event:
        return Event(0, "peer-00", "bytes", {"sent": amount, "by_kind": {"chunk": amount}})

    history = history_of([sent(100), sent(300), sent(50), sent(60)])
    assert history.bytes_sent() == {"peer-00": 360}
    assert history.bytes_by_kind() == {"chunk": 360}


def test_unknown_events_are_no_harm() -> None:
    assert history_of([Event(7, "peer-00", "something new", {})]).seconds == 7
