"""`p2pnode`: the node's command line."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from p2pnode.cli.dataset import dataset
from p2pnode.cli.economy import Yes, add_stake_commands, dao, rewards, royalty, subnet
from p2pnode.cli.guard import guarded
from p2pnode.cli.options import asking, unlocked, with_settings
from p2pnode.settings import FILE_NAME, NodeSettings, write_template

app = typer.Typer(
    name="p2pnode",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Every setting can stand in the file, in the environment (P2PNODE_CHAIN=...) or in a flag (--chain ...).",
    help="A node of the 2PM network. Peers train one model together on private data; each update leaves its owner "
    "encrypted, and only sums of many updates can ever be read.\n\nFirst `p2pnode init`, then `p2pnode run` or "
    "`p2pnode validate`, given a peer's address (--bootstrap) and the chain's URL (--chain).",
)
operator = typer.Typer(
    no_args_is_help=True, help="Your operator: the account with the stake that answers for the node."
)
add_stake_commands(operator)
app.add_typer(operator, name="operator")
app.add_typer(subnet, name="subnet")
app.add_typer(rewards, name="rewards")
app.add_typer(royalty, name="royalty")
app.add_typer(dao, name="dao")
app.add_typer(dataset, name="dataset")
params = typer.Typer(no_args_is_help=True, help="The frozen parameters that all peers of a subnet share.")
app.add_typer(params, name="params")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"p2pnode {version('twopm')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None: ...


@app.command()
@with_settings()
def init(settings: NodeSettings) -> None:
    """Create a node's keys and its settings file in --folder. The other flags are written into the file."""
    from p2pnode.identity import keys_folder, new_identity, save_identity
    from p2pnode.passphrase import read_passphrase
    from p2pnode.transport.addresses import peer_id_of

    folder, identity = settings.folder, new_identity()
    save_identity(folder, identity, read_passphrase(settings.passphrase_file, asking(twice=True)))
    file = folder / FILE_NAME
    if not file.exists():
        write_template(folder, **_told(settings))
    typer.echo(f"peer      {peer_id_of(identity.peer)}")
    typer.echo(f"operator  0x{identity.operator.hex()}")
    typer.echo(f"keys      {keys_folder(folder)} (encrypted)")
    typer.echo(f"settings  {file}")
    typer.echo("Back up the keys and the passphrase, apart from each other: without both, stake and rewards are lost.")


@app.command()
@with_settings()
def run(settings: NodeSettings) -> None:
    """Join the mesh and take part from the next epoch on; Ctrl-C leaves cleanly."""
    from p2pnode.cli import run as node

    node.run(settings, unlocked(settings))


@app.command()
@with_settings()
def validate(settings: NodeSettings) -> None:
    """Join the mesh as a validator: recompute every cell's sum and attest on the chain. Prints each verdict."""
    from p2pnode.cli import run as node

    node.run(settings.with_(roles=("validator",)), unlocked(settings))


@app.command()
@with_settings("folder")
def status(settings: NodeSettings) -> None:
    """Show how the node that runs in --folder is doing."""
    from p2pnode.cli.status import fetch_status, table

    typer.echo(table(fetch_status(settings.folder)))


@subnet.command("join")
@with_settings()
def subnet_join(settings: NodeSettings, yes: Yes = False) -> None:
    """Join the subnet with your operator's stake, roles and peer, as `operator register` does."""
    from p2pnode.cli import run as node

    node.register(settings, unlocked(settings), yes=yes)


@operator.command("register")
@with_settings()
def operator_register(settings: NodeSettings, yes: Yes = False) -> None:
    """Register the operator on the chain with its stake, its roles and its peer."""
    from p2pnode.cli import run as node

    node.register(settings, unlocked(settings), yes=yes)


@operator.command("leave")
@with_settings()
def operator_leave(settings: NodeSettings, yes: Yes = False) -> None:
    """Leave the subnet from the next epoch on; the stake can be withdrawn after the exit delay."""
    from p2pnode.cli import run as node

    node.leave(settings, unlocked(settings), yes=yes)


@operator.command("withdraw")
@with_settings()
def operator_withdraw(settings: NodeSettings, yes: Yes = False) -> None:
    """Take back the stake after leaving, once the exit delay is over."""
    from p2pnode.cli import run as node

    node.withdraw(settings, unlocked(settings), yes=yes)


@operator.command("status")
@with_settings()
def operator_status(settings: NodeSettings) -> None:
    """Show what the chain knows of the operator: balance, stake, roles, peer."""
    from p2pnode.cli import run as node

    node.show_operator(settings, unlocked(settings))


@params.command("explain")
def params_explain(
    preset: Annotated[str | None, typer.Argument(help="dev, testnet or paranoid; none: all of them.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter changed; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what a preset claims, what its parameters reach, in bits, and why; fail if they fall short."""
    from p2pnode.cli.params import show

    show(preset, param or [], as_json=json)


def _told(settings: NodeSettings) -> dict[str, object]:
    """What was set, for a file of its own: it stands in the folder, and its other paths must hold from there."""
    told = {name: getattr(settings, name) for name in settings.model_fields_set - {"folder"}}
    if settings.task is not None and settings.task.endswith(".py"):
        told["task"] = str(Path(settings.task).resolve())
    return {name: value.resolve() if isinstance(value, Path) else value for name, value in told.items()}


def main() -> None:
    """The console command."""
    guarded(app)
