"""How far addresses reach, and that nobody from afar sends us into our own network."""

from __future__ import annotations

import pytest

from p2pnode.transport.discovery.scope import Scope, group_of, groups_of, may_dial, scope_of


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("127.0.0.1", Scope.MACHINE),
        ("::1", Scope.MACHINE),
        ("::ffff:127.0.0.1", Scope.MACHINE),
        ("169.254.169.254", Scope.LINK),
        ("fe80::1", Scope.LINK),
        ("192.168.1.1", Scope.SITE),
        ("10.0.0.1", Scope.SITE),
        ("100.64.0.1", Scope.SITE),
        ("fd00::1", Scope.SITE),
        ("8.8.8.8", Scope.WORLD),
        ("2600::1", Scope.WORLD),
        ("0.0.0.0", None),
        ("224.0.0.251", None),
        ("ff02::1", None),
        ("255.255.255.255", None),
        ("64:ff9b::7f00:1", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_scopes(host: str, scope: Scope | None) -> None:
    assert scope_of(host) is scope


@pytest.mark.parametrize(
    ("address", "tellers"),
    [
        ("/ip4/8.8.8.8/tcp/1/p2p/x", set(Scope)),
        ("/ip4/192.168.1.1/tcp/1", {Scope.MACHINE, Scope.LINK, Scope.SITE}),
        ("/ip4/169.254.169.254/tcp/80", {Scope.MACHINE, Scope.LINK}),
        ("/ip4/127.0.0.1/tcp/8545", {Scope.MACHINE}),
        ("/ip6/::ffff:127.0.0.1/tcp/8545", {Scope.MACHINE}),
        ("/dns4/localhost/tcp/8545", set()),
        ("/ip4/0.0.0.0/tcp/8545", set()),
        ("/ip4/0x7f000001/tcp/8545", set()),
        ("ip4/8.8.8.8/tcp/1", set()),
        ("", set()),
    ],
)
def test_an_address_must_reach_as_far_as_who_tells_it(address: str, tellers: set[Scope]) -> None:
    assert {teller for teller in Scope if may_dial(address, teller)} == tellers


def test_neighbouring_addresses_are_one_group() -> None:
    assert group_of("8.8.1.1") == group_of("8.8.200.3") == "8.8.0.0/16"
    assert group_of("8.9.1.1") != group_of("8.8.1.1")
    assert group_of("2600:1:2::1") == group_of("2600:1:ffff::1") != group_of("2600:2::1")
    assert group_of("192.168.1.1") is None
    assert groups_of(["/ip4/8.8.1.1/tcp/1", "/ip4/8.8.1.2/tcp/1", "/dns4/x/tcp/1", "/ip4/10.0.0.1/tcp/1"]) == {
        "8.8.0.0/16"
    }
