"""One run from its scenario to its report, new or resumed, on either backend."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from rich.console import Console

from p2pnode.learning.modules import find_module
from protocols.errors import LocalError, TwoPMError
from simnet.events import Event, Sink
from simnet.folder import RunFolder, free_folder
from simnet.history import History, history_of
from simnet.outcome import Outcome
from simnet.pool import Engine, worker_pool
from simnet.progress import Progress, metrics_line
from simnet.scenario import Scenario, make_scenario
from simnet.summary import summarise
from simnet.units import seconds

if TYPE_CHECKING:
    from p2pnode.learning.task import Task

PLAINTEXT_WARNING = (
    "[bold white on red] PLAINTEXT [/] Nothing is encrypted in this run: every update can be read by others. "
    "It is for comparison only."
)


def new_run(scenario: Scenario, out: Path | None) -> None:
    """Runs a scenario into a new folder.

    Raises:
        TwoPMError: the scenario, the task or the folder will not do (then no folder is left), or the run failed.
    """
    find_module(scenario.task)
    with RunFolder.create(out or free_folder(scenario.task), scenario) as folder:
        _run(folder, History())


def resumed_run(path: Path, machine: Mapping[str, object]) -> None:
    """Goes on with a run where it was interrupted. A virtual run is replayed: its seed brings it to the same point.

    Args:
        path: the run's folder.
        machine: the scenario's values that are this machine's business alone (simnet/cli.py).

    Raises:
        TwoPMError: as `new_run`.
    """
    with RunFolder.resume(path) as folder:
        folder.scenario = make_scenario(folder.scenario.model_dump(), machine)
        if folder.scenario.backend == "virtual":
            folder.restart_events()
        _run(folder, history_of(folder.events()))


def _run(folder: RunFolder, past: History) -> None:
    scenario, console = folder.scenario, Console()
    progress = Progress(scenario, console, past)
    if scenario.plaintext:
        progress.say(PLAINTEXT_WARNING)
    progress.say(f"run        {folder.path}" + (f" (from {seconds(past.seconds)} on)" if past.seconds else ""))

    def sink(event: Event) -> None:
        folder.record(event)
        progress.hear(event)

    backend = _virtual if scenario.backend == "virtual" else _real
    try:
        with progress:
            outcome = backend(folder, past, sink, progress.say)
    except BaseException:
        if folder.path.exists():
            progress.say(f"The run stopped. Go on with it: simnet run --resume {folder.path}")
        raise
    _finish(folder, outcome, progress)


def _virtual(folder: RunFolder, past: History, sink: Sink, _: Callable[[str], None]) -> Outcome:
    task = _prepare(folder, past)
    from simnet.world import run_virtual

    return run_virtual(folder.scenario, sink, task)


def _real(folder: RunFolder, past: History, sink: Sink, say: Callable[[str], None]) -> Outcome:
    began = time.time() - past.seconds

    async def run() -> Outcome:
        interrupt = signal.getsignal(signal.SIGINT)  # trio's own handler, unless a shell's & made us ignore it
        signal.signal(signal.SIGTERM, interrupt if callable(interrupt) else signal.default_int_handler)
        async with _engine(folder) as pool:
            # What follows imports JAX and web3, as the workers' server does at this very time.
            task = await trio.to_thread.run_sync(_prepare, folder, past)
            from simnet.cluster import Cluster

            return await Cluster(folder, pool, began, past, sink, say).run(task)

    return trio.run(run)


def _engine(folder: RunFolder) -> AbstractAsyncContextManager[Engine]:
    """Where the workers run."""
    scenario, logs = folder.scenario, folder.path / "logs"
    if scenario.engine == "local":
        return worker_pool(logs, scenario.processes)
    from simnet.ray_pool import ray_pool

    return ray_pool(logs, scenario.processes, scenario.address, chain=scenario.chain)


def _prepare(folder: RunFolder, past: History) -> Task:
    """The task, checked with the scenario; if they do not fit, a new run's folder is not left behind."""
    from p2pnode.learning.task import load_task
    from simnet.roster import deal_data

    scenario = folder.scenario
    try:
        task = load_task(scenario.task, scenario.options)
        deal_data(scenario, task)
        _check_budget(scenario, task)
    except TwoPMError:
        if not past.seconds:
            folder.discard()
        raise
    return task


def _check_budget(scenario: Scenario, task: Task) -> None:
    """Raises LocalError if the run would go on after everybody has stopped."""
    privacy = task.update_schema.privacy
    if privacy is not None and privacy.rounds < scenario.rounds:
        raise LocalError(
            f"the privacy budget of {privacy.budget:g} lasts for {privacy.rounds} rounds, not for {scenario.rounds}: "
            "take fewer --rounds, a larger --dp-budget, or more --dp-noise"
        )


def _finish(folder: RunFolder, outcome: Outcome, progress: Progress) -> None:
    from simnet.report import render_report

    scenario, history = folder.scenario, progress.history
    if scenario.backend == "virtual":  # no event of the world, which must not depend on the machine
        history.peak_rss["simnet"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    summary = summarise(scenario, history)
    folder.save_summary(summary)
    if outcome.model:
        folder.save_model(outcome.model)
    folder.save_report(render_report(scenario, summary, history))
    if len(set(outcome.digests.values())) > 1:
        raise LocalError(f"the peers ended with different parameters; see {folder.path / 'events.jsonl'}")
    if not history.applied:
        reasons = "; ".join(dict.fromkeys(summary["abandoned"].values()))
        raise LocalError(f"no round was completed ({reasons}); see {folder.path / 'report.html'}")
    checkpoints = summary["checkpoints"]
    if summary["epsilon"] is not None:
        progress.say(f"privacy    no row of data has cost more than epsilon {summary['epsilon']:.3f}")
    progress.say(
        f"{summary['rounds_applied']} of {scenario.rounds} rounds in {seconds(summary['wall_seconds'])}: "
        f"{metrics_line(summary['final_metrics'])}\n"
        f"parameters {summary['params_digest']}, held by {len(outcome.digests)} peers alike; "
        f"checkpoints {checkpoints['finalised']} of {checkpoints['anchored']} final\n"
        f"report     {folder.path / 'report.html'}"
    )
