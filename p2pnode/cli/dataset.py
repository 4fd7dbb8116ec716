"""`p2pnode dataset ...`: what a provider commits to, of which no value ever leaves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from p2pnode.cli.economy import FILE, AsJson, Deployment, Number, Yes
from p2pnode.cli.options import with_settings
from p2pnode.settings import NodeSettings

if TYPE_CHECKING:
    from p2pnode.chain.wallet import Places, Wallet
    from p2pnode.data.commitment import Commitment

dataset = typer.Typer(no_args_is_help=True, help="Data: commit to it on the chain, without showing any of it.")
_keys = "folder", "chain", "passphrase_file", "log_level", "log_format"
_settings = partial(with_settings, *_keys)
_with_data = partial(with_settings, *_keys, "data", "task")

Supersedes = Annotated[int, typer.Option(min=0, help="Your earlier commitment that this one replaces; 0: none.")]


@dataset.command("commit")
@_with_data()
def commit(
    settings: NodeSettings,
    number: Number,
    supersedes: Supersedes = 0,
    signer: Annotated[str | None, typer.Option(help="Who vouches for where it comes from, if not you.")] = None,
    signature: Annotated[str | None, typer.Option(help="What `dataset vouch` printed to that account.")] = None,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Commit to the rows of your --data: a root over their salted digests, how many they are, and their schema."""
    from p2pnode.chain import datasets
    from p2pnode.chain.plans import hex_of
    from p2pnode.chain.wallet import Step
    from p2pnode.cli.spend import carry_out
    from protocols.types import Address

    who = None if signer is None else Address(hex_of(signer, 20, "address"))
    signed = b"" if signature is None else hex_of(signature, 65, "signature")

    async def plan(wallet: Wallet, at: Places) -> list[Step]:
        made = await _commitment(settings, wallet, at, number)
        return await datasets.commit(wallet, at, number, made, supersedes=supersedes, signer=who, signature=signed)

    carry_out(settings, deployment, yes, plan)


@dataset.command("vouch")
@_settings()
def vouch(
    settings: NodeSettings,
    number: Number,
    provider: Annotated[str, typer.Option(help="Whose data it is: an address.")],
    schema: Annotated[str, typer.Option(help="The schema's digest.")],
    root: Annotated[str, typer.Option(help="The root that the provider will commit to.")],
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")],
    supersedes: Supersedes = 0,
    deployment: Deployment = FILE,
    as_json: AsJson = False,
) -> None:
    """Sign that somebody's data comes from where it says; prints the signature, for `dataset commit --signature`."""
    from p2pnode.chain import datasets
    from p2pnode.chain.plans import hex_of
    from p2pnode.cli.spend import show
    from p2pnode.data.commitment import Commitment
    from protocols.types import Address, Digest

    made = Commitment(Digest(hex_of(schema, 32, "digest")), Digest(hex_of(root, 32, "root")), rows)
    said = datasets.Provenance(Address(hex_of(provider, 20, "address")), number, made, supersedes)
    show(settings, deployment, lambda w, at: datasets.vouch(w, at, said), as_json=as_json)


@dataset.command("list")
@_settings()
def list_(
    settings: NodeSettings,
    number: Number,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    deployment: Deployment = FILE,
    as_json: AsJson = False,
) -> None:
    """List what providers committed to in a subnet."""
    from p2pnode.chain import datasets
    from p2pnode.cli.spend import show

    show(settings, deployment, lambda w, at: datasets.rows(w, at, number, mine=mine), as_json=as_json)


@dataset.command("check")
@_with_data()
def check(
    settings: NodeSettings,
    number: Number,
    commitment: Annotated[int, typer.Argument(min=1, help="The commitment's number, from `dataset list`.")],
    deployment: Deployment = FILE,
    as_json: AsJson = False,
) -> None:
    """Check that your --data is still what you committed to."""
    from p2pnode.chain import datasets
    from p2pnode.cli.spend import show

    async def question(wallet: Wallet, at: Places) -> dict[str, object]:
        made = await _commitment(settings, wallet, at, number)
        return await datasets.check(wallet, at, number, commitment, made)

    show(settings, deployment, question, as_json=as_json)


async def _commitment(settings: NodeSettings, wallet: Wallet, at: Places, number: int) -> Commitment:
    """What this folder's owner commits to with its data, whose columns the subnet's task names."""
    from p2pnode.chain import datasets
    from p2pnode.data.commitment import commitment
    from p2pnode.data.sources import load_examples

    data = settings.need("data")
    spec = await datasets.task_of(wallet, at, number)
    from p2pnode.learning.task import load_spec  # JAX takes seconds, and wrong numbers are told at once

    schema = load_spec(spec, settings.task).schema
    return commitment(load_examples(data, schema), schema, wallet.secret("data-commitments"), number)
