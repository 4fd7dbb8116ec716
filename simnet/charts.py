"""The report's charts, each as one SVG element that a browser shows without any network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK: Final = "#1d2733"
FAINT: Final = "#d9dfe6"
PALETTE: Final = ("#2563eb", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#06b6d4", "#ec4899", "#84cc16", "#64748b")
_STYLE: Final[Any] = {  # the stubs want a literal of known keys at each call
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's own font
    "svg.hashsalt": "2pm",  # the same run gives the same bytes
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def line_chart(heights: Sequence[int], values: Sequence[float], label: str, color: str = PALETTE[0]) -> str:
    """One metric by round."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure()
        axes.plot(heights, values, color=color, marker="o", markersize=3.5, linewidth=1.8)
        axes.annotate(
            f"{values[-1]:.4g}", (heights[-1], values[-1]), textcoords="offset points", xytext=(0, 7), ha="right"
        )
        _by_round(axes, label)
        return _svg(figure)


def stacked_bars(heights: Sequence[int], parts: Mapping[str, Sequence[float]], label: str) -> str:
    """What each round is made of."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(right=0.8)
        base = [0.0] * len(heights)
        for color, (name, values) in zip(_colors(len(parts)), parts.items(), strict=True):
            axes.bar(heights, values, bottom=base, color=color, width=0.7, label=name)
            base = [below + value for below, value in zip(base, values, strict=True)]
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        _by_round(axes, label)
        return _svg(figure)


def shares(amounts: Mapping[str, float], label: str) -> str:
    """Amounts by name, the largest on top."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(left=0.28)
        names = sorted(amounts, key=lambda name: amounts[name])
        axes.barh(names, [amounts[name] for name in names], color=PALETTE[0], height=0.6)
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
        return _svg(figure)


def _figure(left: float = 0.11, right: float = 0.97) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.0, 2.9))
    axes = figure.add_subplot()
    figure.subplots_adjust(left=left, right=right, top=0.95, bottom=0.17)
    axes.set_axisbelow(True)
    return figure, axes


def _by_round(axes: Axes, label: str) -> None:
    axes.set_xlabel("round")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _colors(number: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(number)]


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
