"""What a run's events add up to: the one place from which progress, summary and report read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from simnet.events import Event


@dataclass
class CellRecord:
    """Whose updates an opened cell of one round sums, and which members it left out (peers in hex)."""

    contributors: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass
class RoundRecord:
    """One height.

    Attributes:
        seconds: how long it took each node until it had applied the round.
        phases: seconds that each node spent in each phase.
        cells: those that were opened, by the cell's number.
        abandoned: the reason, if it was.
        epsilon: what the header says that privacy has cost any row so far.
        mixed: this round's cells, where they are not the epoch's.
    """

    height: int
    epoch: int = -1
    seconds: list[float] = field(default_factory=list)
    phases: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cells: dict[int, CellRecord] = field(default_factory=dict)
    digests: Counter[str] = field(default_factory=Counter)
    metrics: dict[str, float] = field(default_factory=dict)
    abandoned: str | None = None
    epsilon: float | None = None
    mixed: list[list[str]] | None = None

    def phase_seconds(self) -> dict[str, float]:
        """The median node's seconds in each phase."""
        return {phase: median(seconds) for phase, seconds in self.phases.items()}


@dataclass
class History:
    """A run so far. `hear` takes one event; everything else is there to be read."""

    rounds: dict[int, RoundRecord] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    data_peers: set[str] = field(default_factory=set)
    cells: dict[int, list[list[str]]] = field(default_factory=dict)
    phase: tuple[int, str] = (0, "join")
    anchored: set[int] = field(default_factory=set)
    finalised: set[int] = field(default_factory=set)
    attested: set[tuple[int, str]] = field(default_factory=set)
    verdicts: list[Mapping[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    faults: list[Event] = field(default_factory=list)
    finished: dict[str, str] = field(default_factory=dict)
    peak_rss: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    _bytes: dict[str, _Bytes] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """One more event."""
        self.seconds = max(self.seconds, event.at)
        handler = _HANDLERS.get(event.name)
        if handler:
            handler(self, event)

    @property
    def last_metrics(self) -> dict[str, float]:
        """The metrics of the last round that was judged."""
        judged = [record.metrics for _, record in sorted(self.rounds.items()) if record.metrics]
        return judged[-1] if judged else {}

    @property
    def applied(self) -> list[RoundRecord]:
        """The rounds that at least one node applied, by height."""
        return [record for _, record in sorted(self.rounds.items()) if record.digests]

    @property
    def dropped(self) -> set[tuple[int, str]]:
        """(height, peer) of each member of an opened cell whose update was not summed."""
        cells = ((record.height, cell) for record in self.rounds.values() for cell in record.cells.values())
        return {(height, peer) for height, cell in cells for peer in cell.dropped}

    @property
    def sums_opened(self) -> int:
        """Cells opened, over all rounds."""
        return sum(len(record.cells) for record in self.rounds.values())

    def bytes_sent(self) -> dict[str, int]:
        """Bytes that each node sent, over all its lives."""
        return {node: account.total for node, account in self._bytes.items()}

    def bytes_by_kind(self) -> Counter[str]:
        """Bytes sent by all, by what they were for."""
        return sum((account.by_kind for account in self._bytes.values()), Counter())

    def round(self, height: int) -> RoundRecord:
        return self.rounds.setdefault(height, RoundRecord(height))

    def _joined(self, event: Event) -> None:
        self.names[event.fields["peer"]] = event.node

    def _epoch(self, event: Event) -> None:
        self.cells[event.fields["epoch"]] = event.fields["cells"]

    def _round_began(self, event: Event) -> None:
        record = self.round(event.fields["height"])
        record.epoch, record.mixed = event.fields["epoch"], event.fields.get("cells")

    def _phase(self, event: Event) -> None:
        height, phase = event.fields["height"], event.fields["phase"]
        self.round(height).phases[phase].append(event.fields["seconds"])
        if height >= self.phase[0]:
            self.phase = height, phase

    def _opened(self, event: Event) -> None:
        record, number = self.round(event.fields["height"]), event.fields["cell"]
        contributors = event.fields["contributors"]
        cells = record.mixed or self.cells.get(record.epoch)
        members = cells[number] if cells else contributors
        dropped = tuple(peer for peer in members if peer not in contributors)
        record.cells[number] = CellRecord(tuple(contributors), dropped)

    def _applied(self, event: Event) -> None:
        record = self.round(event.fields["height"])
        record.digests[event.fields["params_digest"]] += 1
        record.seconds.append(event.fields["seconds"])
        record.epsilon = event.fields.get("epsilon")

    def _abandoned(self, event: Event) -> None:
        self.round(event.fields["height"]).abandoned = event.fields["reason"]

    def _metrics(self, event: Event) -> None:
        values = {name: value for name, value in event.fields.items() if name != "height"}
        self.round(event.fields["height"]).metrics.update(values)

    def _checkpoint(self, event: Event) -> None:
        self.anchored.add(event.fields["height"])
        if event.fields["final"]:
            self.finalised.add(event.fields["height"])

    def _account(self, event: Event) -> None:
        self._bytes.setdefault(event.node, _Bytes()).update(event.fields["sent"], event.fields.get("by_kind", {}))

    def _resources(self, event: Event) -> None:
        before = self.peak_rss.get(event.node, 0)
        self.peak_rss[event.node] = max(before, event.fields["peak_rss_bytes"])


@dataclass
class _Bytes:
    """A node's counters start at 0 in each of its lives: what earlier lives sent is kept."""

    earlier: int = 0
    now: int = 0
    earlier_kinds: Counter[str] = field(default_factory=Counter)
    now_kinds: Counter[str] = field(default_factory=Counter)

    def update(self, sent: int, by_kind: Mapping[str, int]) -> None:
        if sent < self.now:
            self.earlier += self.now
            self.earlier_kinds += self.now_kinds
        self.now, self.now_kinds = sent, Counter(by_kind)

    @property
    def total(self) -> int:
        return self.earlier + self.now

    @property
    def by_kind(self) -> Counter[str]:
        return self.earlier_kinds + self.now_kinds


_HANDLERS: Final[Mapping[str, Callable[[History, Event], None]]] = {
    "joined": History._joined,
    "epoch": History._epoch,
    "phase": History._phase,
    "round": History._round_began,
    "opened": History._opened,
    "applied": History._applied,
    "abandoned": History._abandoned,
    "metrics": History._metrics,
    "bytes": History._account,
    "resources": History._resources,
    "checkpoint": History._checkpoint,
    "attested": lambda history, event: history.attested.add((event.fields["height"], event.node)),
    "verdict": lambda history, event: history.verdicts.append(event.fields),
    "refused": lambda history, event: history.refused.update([event.fields["kind"]]),
    "unexpected": lambda history, event: history.unexpected.update([event.fields["error"]]),
    "fault": lambda history, event: history.faults.append(event),
    "finished": lambda history, event: history.finished.update({event.node: event.fields["params_digest"]}),
}


def history_of(events: Iterable[Event]) -> History:
    """All of these events, heard in order."""
    history = History()
    for event in events:
        history.hear(event)
    return history
