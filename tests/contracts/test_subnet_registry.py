"""The rules of contracts/src/SubnetRegistry.sol."""

import pytest

from contracts.bindings import SubnetFounded, SubnetOpened


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def test_anyone_founds_a_subnet_and_a_stranger_reads_it_all(world):
    stranger = world.account()
    contracts = (world.operators.address, world.anchor.address)
    found = world.send(stranger, world.subnets.found(b"other params", b"other task", *contracts))
    assert found == (SubnetFounded(2, bytes.fromhex(stranger.address[2:]), *contracts),)
    subnet = world.ask(world.subnets.subnet(2))
    assert (subnet.params, subnet.task, subnet.opened_block) == (b"other params", b"other task", 0)
    assert (subnet.operators, subnet.anchor) == contracts
    assert world.ask(world.subnets.subnet_count()) == 2


def test_the_founder_opens_once_and_the_block_is_recorded(world):
    world.send(world.founder, world.subnets.found(b"p", b"", world.operators.address, world.anchor.address))
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
        world.send(world.founder, world.subnets.found(params, task, world.operators.address, world.anchor.address))


def test_a_subnet_names_only_contracts(world):
    with refused("NotAContract"):
        world.send(world.founder, world.subnets.found(b"p", b"t", b"\x09" * 20, world.anchor.address))
    with refused("NotAContract"):
        world.send(world.founder, world.subnets.found(b"p", b"t", world.operators.address, b"\x09" * 20))
