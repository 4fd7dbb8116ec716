"""report.html: a run for people, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from simnet import charts
from simnet.history import History
from simnet.scenario import Scenario
from simnet.units import seconds, size


def render_report(scenario: Scenario, summary: Mapping[str, Any], history: History) -> str:
    """The whole page."""
    environment = Environment(loader=PackageLoader("simnet"), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"seconds": seconds, "size": size, "peer": lambda key: history.names.get(key, key[:8])}
    page = environment.get_template("report.html.j2")
    return page.render(scenario=scenario, summary=summary, history=history, charts=_charts(history))


def _charts(history: History) -> dict[str, str]:
    """Title -> SVG, for what there is to show."""
    drawn: dict[str, str] = {}
    for number, metric in enumerate(_curves(history)):
        judged = [record for record in history.applied if metric in record.metrics]
        heights, values = [item.height for item in judged], [item.metrics[metric] for item in judged]
        title = metric.replace("_", " ")
        drawn[f"{title[:1].upper()}{title[1:]} by round"] = charts.line_chart(
            heights, values, title, charts.PALETTE[number % len(charts.PALETTE)]
        )
    if by_phase := _phases(history):
        heights = [record.height for record in history.applied]
        drawn["Time by phase (median node)"] = charts.stacked_bars(heights, by_phase, "seconds")
    if by_kind := history.bytes_by_kind():
        drawn["Bytes by kind (all peers)"] = charts.shares(
            {kind: amount / 1e6 for kind, amount in by_kind.items()}, "megabytes sent"
        )
    return drawn


def _curves(history: History) -> list[str]:
    """Accuracy and loss first, then other metrics, at most six."""
    names = dict.fromkeys(name for record in history.applied for name in record.metrics)
    return sorted(names, key=lambda name: ("accuracy" not in name, "loss" not in name))[:6]


def _phases(history: History) -> dict[str, list[float]]:
    rounds = [record.phase_seconds() for record in history.applied]
    names = dict.fromkeys(name for record in rounds for name in record)
    return {name: [record.get(name, 0.0) for record in rounds] for name in names}
