"""One run from its scenario to its report, new or resumed, on either backend."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from pathlib import Path

import trio
from rich.console import Console

from p2pnode.learning.task import Task, load_task
from protocols.errors import LocalError
from simnet.cluster import Cluster
from simnet.events import Event, Sink
from simnet.folder import RunFolder, free_folder
from simnet.history import History, history_of
from simnet.outcome import Outcome
from simnet.progress import Progress, metrics_line
from simnet.report import render_report, seconds
from simnet.roster import deal_data
from simnet.scenario import Scenario
from simnet.summary import summarise
from simnet.world import run_virtual

PLAINTEXT_WARNING = (
    "[bold white on red] PLAINTEXT [/] Nothing is encrypted in this run: every update can be read by others. "
    "It is for comparison only."
)


def new_run(scenario: Scenario, out: Path | None) -> None:
    """Runs a scenario into a new folder.

    Raises:
        TwoPMError: the scenario, the task or the folder will not do (then nothing was touched), or the run failed.
    """
    task = load_task(scenario.task, scenario.options)
    deal_data(scenario, task)
    with RunFolder.create(out or free_folder(scenario.task), scenario) as folder:
        _run(folder, task, History())


def resumed_run(path: Path) -> None:
    """Goes on with a run where it was interrupted. A virtual run is replayed: its seed brings it to the same point.

    Raises:
        TwoPMError: as `new_run`.
    """
    with RunFolder.resume(path) as folder:
        if folder.scenario.backend == "virtual":
            folder.restart_events()
        past = history_of(folder.events())
        _run(folder, load_task(folder.scenario.task, folder.scenario.options), past)


def _run(folder: RunFolder, task: Task, past: History) -> None:
    scenario, console = folder.scenario, Console()
    progress = Progress(scenario, console, past)
    if scenario.plaintext:
        progress.say(PLAINTEXT_WARNING)
    progress.say(f"run        {folder.path}" + (f" (from {seconds(past.seconds)} on)" if past.seconds else ""))

    def sink(event: Event) -> None:
        folder.record(event)
        progress.hear(event)

    try:
        with progress:
            outcome = _backend(folder, task, past, sink, progress.say)
    except BaseException:
        progress.say(f"The run stopped. Go on with it: simnet run --resume {folder.path}")
        raise
    _finish(folder, outcome, progress)


def _backend(folder: RunFolder, task: Task, past: History, sink: Sink, say: Callable[[str], None]) -> Outcome:
    if folder.scenario.backend == "virtual":
        return run_virtual(folder.scenario, sink, task)

    async def run() -> Outcome:
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # trio's own handler: both end in good order
        return await Cluster(folder, task, past, sink, say).run()

    return trio.run(run)


def _finish(folder: RunFolder, outcome: Outcome, progress: Progress) -> None:
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
    checkpoints = summary["checkpoints"]
    progress.say(
        f"{summary['rounds_applied']} of {scenario.rounds} rounds in {seconds(summary['wall_seconds'])}: "
        f"{metrics_line(summary['final_metrics'])}\n"
        f"parameters {summary['params_digest']}, held by {len(outcome.digests)} peers alike; "
        f"checkpoints {checkpoints['finalised']} of {checkpoints['anchored']} final\n"
        f"report     {folder.path / 'report.html'}"
    )
