"""Whom to dial: sybils against a careless choice and against ours; diversity, back-off, bounds."""

from __future__ import annotations

import hashlib

import p2pnode.transport.discovery.plan as module
from p2pnode.transport.discovery.plan import PAUSE_MAX_S, PAUSE_S, PER_GROUP, DialPlan
from protocols.types import PeerKey


def peer(number: int) -> PeerKey:
    return PeerKey(hashlib.sha256(number.to_bytes(4, "big")).digest())


def at(a: int, b: int, c: int = 1) -> tuple[str, ...]:
    return (f"/ip4/{a}.{b}.{c}.1/tcp/4001",)


ME = peer(0)
NOBODY: frozenset[PeerKey] = frozenset()
HONEST = {peer(n): at(20 + n, 7) for n in range(1, 21)}
SYBILS = {peer(n): at(5, 9, n % 250) for n in range(1000, 1500)}


def chosen(plan: DialPlan, known, wanted: int = 5, now: float = 0.0, dead: frozenset[PeerKey] = NOBODY, up=NOBODY):
    met = []
    for each in plan.neighbours(known, up, wanted, now):
        if each in dead:
            plan.failed(each, now)
        else:
            plan.met(each)
            met.append(each)
    return met


def test_five_hundred_sybils_of_one_network_are_two_neighbours_at_most() -> None:
    known = HONEST | SYBILS
    careless = sorted(known)[:5]  # any order that does not look at addresses
    assert len(set(careless) & set(SYBILS)) >= 4
    met = chosen(DialPlan(ME), known)
    assert len(met) == 5
    assert len(set(met) & set(SYBILS)) <= PER_GROUP


def test_operators_of_the_chain_come_before_strangers_of_many_networks() -> None:
    strangers = {peer(n): at(60 + n % 60, n % 250) for n in range(2000, 3000)}
    plan = DialPlan(ME)
    assert not set(chosen(plan, HONEST | strangers)) <= set(HONEST)
    plan.vouch(HONEST)
    assert set(chosen(plan, HONEST | strangers)) <= set(HONEST)


def test_everyone_has_an_order_of_his_own_and_keeps_it() -> None:
    assert chosen(DialPlan(ME), HONEST) == chosen(DialPlan(ME), HONEST)
    assert chosen(DialPlan(ME), HONEST) != chosen(DialPlan(peer(5)), HONEST)


def test_private_addresses_have_no_groups() -> None:
    cluster = {peer(n): at(10, 0, n) for n in range(1, 20)}
    assert len(chosen(DialPlan(ME), cluster)) == 5


def test_who_is_not_reached_is_left_alone_twice_as_long_each_time() -> None:
    plan, one = DialPlan(ME), {peer(1): at(8, 8)}
    now, pause = 0.0, PAUSE_S
    for _ in range(12):
        assert chosen(plan, one, now=now, dead=frozenset(one)) == []
        assert chosen(plan, one, now=now + pause - 0.1) == []
        now, pause = now + pause, min(2 * pause, PAUSE_MAX_S)
    assert pause == PAUSE_MAX_S
    assert chosen(plan, one, now=now) == [peer(1)]
    assert chosen(plan, one, now=now) == [peer(1)]  # forgiven


def test_the_dead_do_not_take_the_places_of_the_living() -> None:
    dead = frozenset(list(HONEST)[:15])
    met = chosen(DialPlan(ME), HONEST, dead=dead)
    assert len(met) == 5
    assert not dead & set(met)


def test_who_is_connected_counts_and_is_not_waited_for() -> None:
    plan, up = DialPlan(ME), frozenset(HONEST)
    for each in HONEST:
        plan.failed(each, 0.0)
    assert len(list(plan.neighbours(HONEST, up, 5, 1.0))) == 5


def test_what_is_remembered_of_failures_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "FAILURES_MAX", 50)
    plan = DialPlan(ME)
    for number in range(500):
        plan.failed(peer(number), 0.0)
    assert len(plan._failures) == 50
