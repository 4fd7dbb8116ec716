import io

from rich.console import Console

from simnet.events import Event
from simnet.history import History
from simnet.progress import Progress
from simnet.scenario import make_scenario
from tests.simnet.recorded import recorded

SCENARIO = make_scenario({"task": "digits", "peers": 3, "k_min": 2, "dropouts": 1, "rounds": 3})


def shown(*events: Event, terminal: bool, plaintext: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, color_system=None, width=100)
    scenario = SCENARIO.model_copy(update={"plaintext": plaintext})
    with Progress(scenario, console, History()) as progress:
        for event in events:
            progress.hear(event)
    return text.getvalue()


def test_without_a_terminal_each_round_is_a_line() -> None:
    lines = shown(*recorded(), terminal=False).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["round 0", "round 1", "round 2"]
    assert "accuracy 0.75" in lines[2]
    assert "abandoned: fewer than 2 contributors" in lines[1]


def test_on_a_terminal_the_panel_says_it_all() -> None:
    panel = shown(*recorded(), terminal=True)
    for words in ("digits · 3 peers · encrypted", "2 of 3 applied", "accuracy 0.75", "3 joined", "2 anchored, 2 final"):
        assert words in panel
    assert "PLAINTEXT" in shown(terminal=True, plaintext=True)


def test_a_bug_is_shown_at_once() -> None:
    bug = Event(1, "peer-00", "unexpected", {"task": "train", "error": ValueError("oh")})
    assert "peer-00: train: oh" in shown(bug, terminal=False)
