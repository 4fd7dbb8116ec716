"""The economy's contracts through their bindings, on the ledger."""

import pytest

from contracts.economy import ADMIN_ROLE, Authority
from contracts.economy_events import Deposited, ExitClaimed, ExitRequested


def address(account):
    return bytes.fromhex(account.address[2:])


def test_a_delegation_comes_and_goes(world):
    operator, friend = address(world.account()), world.account()
    found = world.send(friend, world.vault.deposit(operator, address(friend), 7, value=7))
    assert found == (Deposited(operator, address(friend), address(friend), 7, 7000),)
    assert world.ask(world.vault.stake_of(operator, address(friend))) == (7000, 7)
    assert world.ask(world.source.stake(operator)) == world.ask(world.vault.staked(operator)) == 7
    epoch = world.ask(world.vault.current_epoch()) + 1
    (asked,) = world.send(friend, world.vault.request_exit(operator, 3000))
    assert asked in [ExitRequested(operator, address(friend), epoch + late, 3000, 3) for late in (0, 1)]
    assert world.ask(world.vault.exit_epochs(operator, address(friend))) == (asked.epoch,)
    assert world.ask(world.vault.exit_of(operator, asked.epoch, address(friend))) == 3
    world.mine(2 * world.ask(world.vault.epoch_seconds()))
    found = world.send(friend, world.vault.claim(operator, asked.epoch, operator))
    assert found == (ExitClaimed(operator, address(friend), asked.epoch, operator, 3),)
    assert world.ledger.balance(operator) == 10**24 + 3


def test_a_source_tells_its_vaults_and_delay(world):
    assert world.ask(world.source.vaults()) == ((world.vault.address, 10**18),)
    assert world.ask(world.source.exit_delay()) == world.ask(world.vault.epoch_seconds())
    assert world.ask(world.vault.asset()) == bytes(20)


def test_roles_are_given_by_the_admin_alone(world):
    authority, stranger = Authority(world.authority), world.account()
    assert world.ask(authority.has_role(ADMIN_ROLE, address(world.founder)))
    with pytest.raises(Exception, match="does not hold role 0"):
        world.send(stranger, authority.grant_role(5, address(stranger)))
    world.send(world.founder, authority.grant_role(5, address(stranger)))
    assert world.ask(authority.has_role(5, address(stranger)))
    world.send(stranger, authority.renounce_role(5, address(stranger)))
    assert not world.ask(authority.has_role(5, address(stranger)))
