"""A run as it goes: a live panel on a terminal, a line a round elsewhere."""

from __future__ import annotations

from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from simnet.events import Event
from simnet.history import History
from simnet.scenario import Scenario
from simnet.units import seconds, size

REFRESH_PER_S: Final = 4


class Progress:
    """Shows a run to people. `hear` every event; `say` what is worth a line of its own.

    Attributes:
        history: the run so far.
    """

    def __init__(self, scenario: Scenario, console: Console, history: History) -> None:
        self._scenario, self._console, self.history = scenario, console, history
        self._live = Live(console=console, get_renderable=self._panel, refresh_per_second=REFRESH_PER_S)
        self._said: set[tuple[str, int]] = set()

    def hear(self, event: Event) -> None:
        """One more event."""
        self.history.hear(event)
        if not self._console.is_terminal and event.name in ("metrics", "abandoned"):
            self._line(event.name, event.fields["height"])
        if event.name == "unexpected":
            self.say(f"[red]unexpected[/] in {event.node}: {event.fields['task']}: {event.fields['error']}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _line(self, name: str, height: int) -> None:
        if (name, height) in self._said:
            return
        self._said.add((name, height))
        record, history = self.history.round(height), self.history
        if name == "abandoned":
            self.say(f"round {height}  abandoned: {record.abandoned}")
            return
        final = f"{len(history.finalised)}/{len(history.anchored)}"
        self.say(f"round {height}  {metrics_line(record.metrics)}  {self._sent()} sent  checkpoints {final} final")

    def _sent(self) -> str:
        return size(sum(self.history.bytes_sent().values()))

    def _panel(self) -> Panel:
        scenario, history = self._scenario, self.history
        done = len(history.applied)
        table = Table.grid(padding=(0, 2))
        height, phase = history.phase
        rows = {
            "round": f"{done} of {scenario.rounds} applied",
            "phase": f"{phase} (round {height})",
            "model": metrics_line(history.last_metrics) or "–",
            "peers": f"{len(history.names)} joined, {len(history.finished)} finished",
            "dropped": f"{len(history.dropped)} updates",
            "bytes": f"{self._sent()} sent",
            "checkpoints": f"{len(history.anchored)} anchored, {len(history.finalised)} final",
            "time": seconds(history.seconds),
        }
        for name, value in rows.items():
            table.add_row(f"[dim]{name}[/]", value)
        table.add_row("", ProgressBar(total=scenario.rounds, completed=done, width=56))
        title = f"{scenario.task} · {scenario.peers} peers · {'PLAINTEXT' if scenario.plaintext else 'encrypted'}"
        return Panel(table, title=title, border_style="red" if scenario.plaintext else "blue", width=80)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()


def metrics_line(metrics: dict[str, float]) -> str:
    """Metrics in one line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
