"""The rules of contracts/src/SubnetRegistry.sol."""

from dataclasses import replace

import pytest

from contracts.economy_events import EconomicsSet
from contracts.events import SubnetFounded, SubnetOpened
from contracts.terms import Economics, Parent, Windows


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def address(account):
    return bytes.fromhex(account.address[2:])


def test_the_dao_founds_a_subnet_and_a_stranger_reads_it_all(world):
    stranger = world.account()
    terms = replace(
        world.terms(b"other params", b"other task"),
        founder=address(stranger),
        model=b"m" * 32,
        schema=b"s" * 32,
        windows=Windows(1, 2, 2),
        economics=Economics(poster=address(stranger)),
        parents=(Parent(1, 3000),),
    )
    found = world.send(world.founder, world.subnets.found(terms))
    assert isinstance(found[0], EconomicsSet)
    assert found[1] == SubnetFounded(2, address(stranger), terms.operators, terms.anchor)
    subnet = world.ask(world.subnets.subnet(2))
    assert (subnet.params, subnet.task, subnet.opened_block) == (b"other params", b"other task", 0)
    assert (subnet.founder, subnet.operators, subnet.anchor) == (terms.founder, terms.operators, terms.anchor)
    assert (subnet.model, subnet.schema) == (terms.model, terms.schema)
    assert world.ask(world.subnets.windows_of(2)) == terms.windows
    assert world.ask(world.subnets.economics_of(2)) == terms.economics
    assert world.ask(world.subnets.parents_of(2)) == terms.parents
    assert world.ask(world.subnets.subnet_count()) == 2


def test_only_the_dao_founds_and_sets_economics(world):
    stranger = world.account()
    with refused("AccessManagedUnauthorized"):
        world.send(stranger, world.subnets.found(world.terms()))
    with refused("AccessManagedUnauthorized"):
        world.send(stranger, world.subnets.set_economics(1, Economics()))
    world.send(world.founder, world.subnets.set_economics(1, Economics(compute_parts=1, data_parts=1)))
    assert world.ask(world.subnets.economics_of(1)).compute_parts == 1


def test_the_founder_opens_once_and_the_block_is_recorded(world):
    world.send(world.founder, world.subnets.found(world.terms()))
    with refused("NotFounder"):
        world.send(world.account(), world.subnets.open(2))
    found = world.send(world.founder, world.subnets.open(2))
    assert found == (SubnetOpened(2, world.ledger.head.block_number),)
    assert world.ask(world.subnets.subnet(2)).opened_block == world.ledger.head.block_number
    with refused("AlreadyOpen"):
        world.send(world.founder, world.subnets.open(2))


@pytest.mark.parametrize("subnet_id", [0, 2, 2**255])
def test_an_unknown_subnet_has_a_name(world, subnet_id):
    with refused("UnknownSubnet"):
        world.send(world.founder, world.subnets.open(subnet_id))


@pytest.mark.parametrize(("params", "task"), [(b"", b"task"), (b"p" * 4097, b""), (b"p", b"t" * 4097)])
def test_params_and_task_are_bounded(world, params, task):
    with refused("BadLength"):
        world.send(world.founder, world.subnets.found(world.terms(params, task)))


@pytest.mark.parametrize("change", [{"operators": b"\x09" * 20}, {"anchor": b"\x09" * 20}])
def test_a_subnet_names_only_contracts(world, change):
    with refused("NotAContract"):
        world.send(world.founder, world.subnets.found(replace(world.terms(), **change)))


@pytest.mark.parametrize(
    ("error", "change"),
    [
        ("ExitTooShort", {"windows": Windows(2, 2, 2)}),
        ("BadEconomics", {"economics": Economics(verifier_bps=9501)}),
        ("BadEconomics", {"economics": Economics(reward_bps=10001)}),
        ("BadEconomics", {"economics": Economics(backer_bps=10001)}),
        ("BadEconomics", {"economics": Economics(compute_parts=0, data_parts=0)}),
        ("BadParents", {"parents": (Parent(1, 3001),)}),
        ("BadParents", {"parents": (Parent(1, 1),) * 5}),
        ("UnknownSubnet", {"parents": (Parent(2, 1),)}),
        ("UnknownSubnet", {"parents": (Parent(0, 1),)}),
    ],
)
def test_terms_that_cannot_hold_are_refused(world, error, change):
    with refused(error):
        world.send(world.founder, world.subnets.found(replace(world.terms(), **change)))


def test_a_registry_that_serves_other_subnets_is_refused(world):
    other = world.deploy(type(world.subnets).deployment(world.authority))
    economy = (world.source.address, world.vault.address)
    operators = world.deploy(type(world.operators).deployment(other, *economy, 1))
    with refused("NotFor"):
        world.send(world.founder, world.subnets.found(replace(world.terms(), operators=operators)))
