"""`simnet`: whole networks of 2PM peers on one machine, from one command."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Annotated, Final

import typer

from p2pnode.cli.guard import guarded
from protocols.errors import LocalError

app = typer.Typer(
    name="simnet",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run a whole network of 2PM peers on this machine: they train one model on private data, encrypted, and leave "
    "a report. Try `simnet run --task breast_cancer --peers 8 --rounds 3`.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"simnet {version('twopm')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None: ...


@app.command()
def run(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="[SCENARIO.toml]", help="A file with the same settings; flags win over it.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="What is learnt: spector, breast_cancer, digits, mnist, a module or a .py file. Default: digits."
        ),
    ] = None,
    peers: Annotated[int | None, typer.Option(help="How many peers hold data. Default: 24.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How many rounds to train. Default: 10.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of data splits, keys and virtual time. Default: 0.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for everything the run leaves. Default: runs/TASK-NNN.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the interrupted run in this folder.")] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="real: processes and sockets; virtual: in memory, in virtual time. Default: real."),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="The same rounds WITHOUT encryption, to compare with.")
    ] = False,
    k_min: Annotated[int | None, typer.Option(help="Updates below which no sum is ever opened. Default: 5.")] = None,
    dropouts: Annotated[
        int | None, typer.Option(help="Peers of a cell that may vanish in a round. Default: 3.")
    ] = None,
    committee: Annotated[int | None, typer.Option(help="Members of the committee. Default: 7.")] = None,
    threshold: Annotated[int | None, typer.Option(help="Members that open a sum together. Default: 5.")] = None,
    split: Annotated[str | None, typer.Option(help="How data is dealt: iid, or dirichlet:ALPHA. Default: iid.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the task; may be repeated.")
    ] = None,
    dp_noise: Annotated[
        float | None, typer.Option(help="Differential privacy: noise on each opened sum, in units of a row's clip.")
    ] = None,
    dp_clip: Annotated[float | None, typer.Option(help="What one row can change. Default: 1.")] = None,
    dp_delta: Annotated[float | None, typer.Option(help="Chance that epsilon may not hold. Default: 1e-5.")] = None,
    dp_budget: Annotated[float | None, typer.Option(help="Epsilon at which a peer stops. Default: no end.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A protocol parameter; may be repeated.")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes of the real backend. Default: 2.")] = None,
    preset: Annotated[str | None, typer.Option(help="Protocol parameters to start from. Default: dev.")] = None,
    chain: Annotated[
        str | None, typer.Option(help="JSON-RPC of an EVM chain to use. Default: an embedded one.", metavar="URL")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="local: all processes here; ray: on a Ray cluster. Default: local.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster: auto, local (one of our own), HOST:PORT. Default: auto.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port of the first peer. Default: any free one.")] = None,
    accounts: Annotated[bool, typer.Option("--accounts", help="Tell each node's CPU time in events.jsonl.")] = False,
) -> None:
    """Train one model across many peers, and leave summary.json, events.jsonl, params.npz and report.html in --out."""
    given = {name: value for name, value in locals().items() if value is not None and value is not False}
    from simnet.launch import new_run, resumed_run
    from simnet.scenario import SHORTCUTS, Scenario, make_scenario, read_scenario

    if resume is not None:
        resumed_run(resume, _machine(given))
        return
    flags = {name: value for name, value in given.items() if name in (*Scenario.model_fields, *SHORTCUTS)}
    privacy = {name: given[flag] for flag, name in PRIVACY.items() if flag in given}
    flags |= {"options": {**privacy, **_pairs(option, "--option")}, "params": _numbers(_pairs(param, "--param"))}
    new_run(make_scenario(read_scenario(scenario) if scenario else {}, flags), out)


TOLD_EVERY: Final = 10
"""Worlds, after which `trials` says how far it is."""


@app.command()
def trials(
    rounds: Annotated[int, typer.Option(min=1, help="Virtual rounds in all.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of the first world; the others follow it.")] = 0,
    world_rounds: Annotated[int, typer.Option(min=1, help="Rounds of one world.")] = 10,
    processes: Annotated[int, typer.Option(min=1, help="Worlds that run side by side.")] = 2,
) -> None:
    """Try the protocol against random dishonest peers, up to the assumed shares, in small virtual worlds; every rule is
    checked.
    """
    from simnet.trial import run_trials

    seeds, broken, seen, applied = range(seed, seed + -(-rounds // world_rounds)), 0, 0, 0
    began = monotonic()
    for done, verdict in enumerate(run_trials(seeds, world_rounds, processes), 1):
        seen, applied = seen + verdict.rounds, applied + verdict.applied
        if verdict.violations:
            broken += 1
            replay = f"simnet trials --seed {verdict.seed} --rounds {world_rounds} --world-rounds {world_rounds}"
            typer.echo(f"{verdict}\n  again: {replay}")
        if done % TOLD_EVERY == 0:
            typer.echo(f"{done} of {len(seeds)} worlds, {seen} rounds, {monotonic() - began:.0f} s", err=True)
    typer.echo(
        f"{seen} rounds in {len(seeds)} worlds, {applied} of them completed; rules were broken in {broken} worlds"
    )
    if broken:
        raise typer.Exit(1)


MACHINE: Final = ("port", "processes", "engine", "address", "accounts")
"""What a run's folder does not bind: where the run goes on."""


def _machine(given: dict[str, object]) -> dict[str, object]:
    """The flags with which a run may go on."""
    if not given.keys() <= {"resume", *MACHINE}:
        others = ", ".join(f"--{name}" for name in MACHINE)
        raise LocalError(f"--resume goes on with a run as it was begun: beside it only {others} count")
    return {name: value for name, value in given.items() if name in MACHINE}


PRIVACY: Final = {"dp_noise": "noise_multiplier", "dp_clip": "clip", "dp_delta": "delta", "dp_budget": "budget"}
"""Flags that are options of every task that offers differential privacy."""


def _pairs(texts: list[str] | None, flag: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or []]
    for name, equals, value in pairs:
        if not (name and equals):
            raise LocalError(f"{flag} {name}{equals}{value}: write it as KEY=VALUE")
    return {name: value for name, _, value in pairs}


def _numbers(pairs: dict[str, str]) -> dict[str, int | str]:
    return {name: int(value) if value.lstrip("-").isdigit() else value for name, value in pairs.items()}


def main() -> None:
    """The console command."""
    guarded(app)


if __name__ == "__main__":
    main()
