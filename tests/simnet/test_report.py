import re

from simnet.events import Event
from simnet.history import history_of
from simnet.report import render_report
from simnet.scenario import make_scenario
from simnet.summary import summarise
from tests.simnet.recorded import recorded

SCENARIO = make_scenario({"task": "digits", "peers": 3, "k_min": 2, "dropouts": 1, "rounds": 3})


def report(events: list[Event], **changes: object) -> str:
    scenario, history = SCENARIO.model_copy(update=changes), history_of(events)
    return render_report(scenario, summarise(scenario, history), history)


def test_report_shows_the_run_and_needs_no_network() -> None:
    html = report(recorded())
    assert html.count("<svg") == 4
    assert "Accuracy by round" in html
    assert 'class="peer dropped">peer-02' in html
    assert "abandoned: fewer than 2 contributors" in html
    assert "simulated fault: silent of peer-02" in html
    assert not re.search(r"(src|href)=[\"']https?:", html)


def test_same_events_same_bytes() -> None:
    assert report(recorded()) == report(recorded())


def test_plaintext_is_said_loudly() -> None:
    assert "nothing was encrypted" in report(recorded(), plaintext=True)
    assert "nothing was encrypted" not in report(recorded())


def test_what_comes_from_outside_is_escaped() -> None:
    bad = Event(1, "peer-00", "abandoned", {"height": 7, "reason": "<script>alert(1)</script>"})
    assert "<script>" not in report([*recorded(), bad])


def test_an_empty_run_has_a_report() -> None:
    assert "0 of 3 rounds" in report([])
