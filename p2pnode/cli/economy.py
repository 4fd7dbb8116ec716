"""The commands that move stake, votes and rewards, as `p2pnode operator|subnet|rewards|dao ...`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from p2pnode.cli.options import with_settings
from p2pnode.settings import NodeSettings

Deployment = Annotated[
    Path, typer.Option(help="The deployment file of the contracts.", metavar="FILE", show_default=True)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Token = Annotated[bool, typer.Option("--token", help="In $2PM; otherwise in the chain's coin.")]
Amount = Annotated[str, typer.Argument(help="In whole coins or tokens, like 1.5.")]
Number = Annotated[int, typer.Argument(min=1, help="The subnet's number.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
FILE = Path("deployment.json")

subnet = typer.Typer(
    no_args_is_help=True, help="Subnets: draft, back, vote, found, look at them, pay for their models."
)
rewards = typer.Typer(no_args_is_help=True, help="What your work has earned.")
royalty = typer.Typer(no_args_is_help=True, help="Royalty shares: what holders get of the fees for a model.")
dao = typer.Typer(no_args_is_help=True, help="The DAO: stake $2PM for votes, and leave it.")
_settings = partial(with_settings, "folder", "chain", "passphrase_file", "log_level", "log_format")


def add_stake_commands(operator: typer.Typer) -> None:
    """Adds what an operator, or who delegates to one, does with stake."""
    operator.command("stake")(stake)
    operator.command("delegate")(delegate)
    operator.command("exit")(leave)


@_settings()
def stake(
    settings: NodeSettings, amount: Amount, token: Token = False, deployment: Deployment = FILE, yes: Yes = False
) -> None:
    """Stake with your own operator; it counts in every subnet that the operator joins."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    wanted = plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: plans.stake(w, at, w.address, wanted, token=token))


@_settings()
def delegate(
    settings: NodeSettings,
    operator: Annotated[str, typer.Argument(help="The operator's address.")],
    amount: Amount,
    token: Token = False,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Stake with another operator; you are slashed with it."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    who, wanted = plans.hex_of(operator, 20, "address"), plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: plans.stake(w, at, who, wanted, token=token))


@_settings()
def leave(
    settings: NodeSettings,
    operator: Annotated[str | None, typer.Option(help="The operator's address; your own if not given.")] = None,
    token: Token = False,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Ask all your stake with an operator back, and take what is due; say it again later to be paid."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    who = None if operator is None else plans.hex_of(operator, 20, "address")
    carry_out(settings, deployment, yes, lambda w, at: plans.leave_stake(w, at, who or w.address, token=token))


@subnet.command("list")
@_settings()
def subnet_list(settings: NodeSettings, deployment: Deployment = FILE, as_json: AsJson = False) -> None:
    """List all subnets."""
    from p2pnode.chain.plans import subnet_rows
    from p2pnode.cli.spend import show

    show(settings, deployment, subnet_rows, as_json=as_json)


@subnet.command("show")
@_settings()
def subnet_show(
    settings: NodeSettings,
    number: Number,
    deployment: Deployment = FILE,
    as_json: AsJson = False,
) -> None:
    """Show what a subnet was founded with and who gets what."""
    from p2pnode.chain.plans import subnet_facts
    from p2pnode.cli.spend import show

    show(settings, deployment, lambda w, at: subnet_facts(w, at, number), as_json=as_json)


@subnet.command("propose")
@_settings()
def subnet_propose(
    settings: NodeSettings,
    terms: Annotated[Path, typer.Argument(help="JSON with params, task, windows, economics, parents ...")],
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Draft a subnet; prints the draft's id, for those who back it."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    carry_out(settings, deployment, yes, lambda w, at: plans.propose(w, at, terms))


@subnet.command("back")
@_settings()
def subnet_back(
    settings: NodeSettings,
    draft: Annotated[str, typer.Argument(help="The draft's id.")],
    amount: Amount,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Burn $DMP for a draft; brings its first royalty shares if it is founded."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    which, wanted = plans.hex_of(draft, 32, "draft"), plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: plans.back(w, at, which, wanted))


@subnet.command("vote")
@_settings()
def subnet_vote(
    settings: NodeSettings,
    proposal: Annotated[str, typer.Argument(help="The proposal's number, from `subnet advance`.")],
    choice: Annotated[str, typer.Argument(help="for, against or abstain")],
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Vote on a proposal."""
    from contracts.dao import Vote
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out
    from protocols.errors import LocalError

    if choice.upper() not in Vote.__members__ or not proposal.isdecimal():
        raise LocalError(f"{proposal} {choice}: a proposal's number and for, against or abstain are needed")
    said, number = Vote[choice.upper()], int(proposal)
    carry_out(settings, deployment, yes, lambda w, at: plans.vote(w, at, number, said))


@subnet.command("advance")
@_settings()
def subnet_advance(
    settings: NodeSettings,
    terms: Annotated[Path, typer.Argument(help="The draft's JSON file.")],
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Take a draft's next step: to the vote once it is backed, into the timelock once it is won, then founded."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    carry_out(settings, deployment, yes, lambda w, at: plans.advance(w, at, terms))


@subnet.command("pay")
@_settings()
def subnet_pay(
    settings: NodeSettings, number: Number, amount: Amount, deployment: Deployment = FILE, yes: Yes = False
) -> None:
    """Pay $2PM for the use of a subnet's model."""
    from p2pnode.chain import plans, royalties
    from p2pnode.cli.spend import carry_out

    wanted = plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: royalties.pay(w, at, number, wanted))


@rewards.command("show")
@_settings()
def rewards_show(
    settings: NodeSettings,
    number: Number,
    deployment: Deployment = FILE,
    as_json: AsJson = False,
) -> None:
    """Show what a subnet's pots hold, and what you were paid."""
    from p2pnode.chain.plans import rewards_status
    from p2pnode.cli.spend import show

    show(settings, deployment, lambda w, at: rewards_status(w, at, number), as_json=as_json)


@rewards.command("claim")
@_settings()
def rewards_claim(
    settings: NodeSettings,
    number: Number,
    proofs: Annotated[Path | None, typer.Option(help="The proofs that the subnet's poster published.")] = None,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Claim dividends, and the rewards that --proofs shows."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    carry_out(settings, deployment, yes, lambda w, at: plans.claim_rewards(w, at, number, proofs))


@royalty.command("show")
@_settings()
def royalty_show(
    settings: NodeSettings, number: Number, deployment: Deployment = FILE, as_json: AsJson = False
) -> None:
    """Show a subnet's royalty shares, which of them are yours, and what they have earned."""
    from p2pnode.chain import royalties
    from p2pnode.cli.spend import show

    show(settings, deployment, lambda w, at: royalties.status(w, at, number), as_json=as_json)


@royalty.command("claim")
@_settings()
def royalty_claim(
    settings: NodeSettings,
    number: Number,
    draft: Annotated[str | None, typer.Option(help="The draft that you backed; its id is from `subnet back`.")] = None,
    proofs: Annotated[Path | None, typer.Option(help="The shares.json that the subnet's poster published.")] = None,
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Claim your royalty shares, as backer (--draft) or contributor (--proofs), and your dividends."""
    from p2pnode.chain import plans, royalties
    from p2pnode.cli.spend import carry_out

    which = None if draft is None else plans.hex_of(draft, 32, "draft")
    carry_out(settings, deployment, yes, lambda w, at: royalties.claim(w, at, number, which, proofs))


@dao.command("stake")
@_settings()
def dao_stake(settings: NodeSettings, amount: Amount, deployment: Deployment = FILE, yes: Yes = False) -> None:
    """Stake $2PM into the treasury for votes."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    wanted = plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: plans.join_dao(w, at, wanted))


@dao.command("unstake")
@_settings()
def dao_unstake(settings: NodeSettings, amount: Amount, deployment: Deployment = FILE, yes: Yes = False) -> None:
    """Give votes up and ask their $2PM back, which `dao withdraw` takes once it is due."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    wanted = plans.amount_of(amount)
    carry_out(settings, deployment, yes, lambda w, at: plans.unstake(w, at, wanted))


@dao.command("withdraw")
@_settings()
def dao_withdraw(settings: NodeSettings, deployment: Deployment = FILE, yes: Yes = False) -> None:
    """Take the $2PM that you asked back of the DAO and that is due."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    carry_out(settings, deployment, yes, plans.leave_dao)


@dao.command("delegate")
@_settings()
def dao_delegate(
    settings: NodeSettings,
    to: Annotated[str, typer.Argument(help="Whoever shall vote with your votes.")],
    deployment: Deployment = FILE,
    yes: Yes = False,
) -> None:
    """Let another account vote with your votes."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import carry_out

    who = plans.hex_of(to, 20, "address")
    carry_out(settings, deployment, yes, lambda w, at: plans.delegate_votes(w, at, who))


@dao.command("status")
@_settings()
def dao_status(settings: NodeSettings, deployment: Deployment = FILE, as_json: AsJson = False) -> None:
    """Show the DAO, and what you are in it."""
    from p2pnode.chain import plans
    from p2pnode.cli.spend import show

    show(settings, deployment, plans.dao_status, as_json=as_json)
