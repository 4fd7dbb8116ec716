"""The one place that touches trio's private scheduler: with a seed, tasks are resumed in the same order every run.

trio shuffles runnable tasks so that nobody relies on their order. For Hypothesis it keeps a private switch that sorts
them first and then shuffles with a generator that can be seeded; that switch is what a replay from a seed needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._run as trio_run  # private: tests/simnet/test_scheduling.py guards it

_scheduler: Any = trio_run


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """Within it, `trio.run` schedules deterministically; afterwards trio is as it was."""
    before = _scheduler._ALLOW_DETERMINISTIC_SCHEDULING, _scheduler._r.getstate()
    _scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    _scheduler._r.seed(seed)
    try:
        yield
    finally:
        _scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before[0]
        _scheduler._r.setstate(before[1])
