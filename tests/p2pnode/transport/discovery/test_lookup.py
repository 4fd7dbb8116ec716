"""Kademlia in memory: a search finds the nearest of a thousand; answers of junk and floods change little."""

from __future__ import annotations

import hashlib
import random

from p2pnode.transport.discovery import lookup
from p2pnode.transport.discovery.lookup import BUCKET, CANDIDATES_MAX, QUESTIONS_MAX, Buckets, Hint, Lookup, place_of
from protocols.types import PeerKey


def peer(number: int) -> PeerKey:
    return PeerKey(hashlib.sha256(number.to_bytes(4, "big")).digest())


def at(number: int) -> tuple[str, ...]:
    return (f"/ip4/{20 + number % 100}.{number // 100}.1.1/tcp/4001",)


ME = peer(10**6)
CROWD = [peer(n) for n in range(1000)]
NUMBER = {each: n for n, each in enumerate(CROWD)}


def hints(peers) -> list[Hint]:
    return [(each, at(NUMBER[each])) for each in peers]


class Swarm:
    """A thousand peers with honest buckets."""

    def __init__(self) -> None:
        self.buckets = {}
        order = random.Random(1)
        for each in CROWD:
            self.buckets[each] = Buckets(each)
            for other in order.sample(CROWD, 300):
                self.buckets[each].add(other)

    def answer(self, whom: PeerKey, place: int) -> list[Hint]:
        return hints(self.buckets[whom].nearest(place))


def run(search: Lookup, answer, dead=frozenset(), admits=lambda _address: True) -> int:
    questions = 0
    while asked := search.next():
        for each in asked:
            questions += 1
            if each in dead:
                search.failed(each)
            else:
                search.told(each, answer(each, search.place), admits)
    return questions


def test_the_nearest_of_a_thousand_are_found_from_one() -> None:
    swarm = Swarm()
    for target in (peer(7), peer(123456), ME):
        search = Lookup(place_of(target), ME)
        search.start(hints([CROWD[500]]))
        assert run(search, swarm.answer) <= QUESTIONS_MAX
        nearest = sorted(CROWD, key=lambda each: place_of(each) ^ place_of(target))
        assert search.nearest_that_answered()[:8] == nearest[:8]


def test_a_third_of_them_dead_change_nothing() -> None:
    swarm, dead = Swarm(), frozenset(CROWD[1::3])
    search = Lookup(place_of(peer(6)), ME)
    search.start(hints([CROWD[0]]))
    run(search, swarm.answer, dead)
    assert search.nearest_that_answered()[0] == peer(6)


def test_ten_thousand_of_ten_thousand_addresses_are_twenty_of_eight() -> None:
    search = Lookup(place_of(peer(1)), ME)
    search.start(hints([CROWD[0]]))
    search.next()
    search.told(CROWD[0], [(peer(n), at(n) * 10_000) for n in range(2000, 12_000)], lambda _address: True)
    assert len(search.heard) == 1 + BUCKET
    assert {len(addresses) for _, addresses in list(search.heard.items())[1:]} == {lookup.ADDRESSES_MAX}


def test_liars_that_invent_ever_nearer_peers_end_after_so_many_questions() -> None:
    target, numbers = place_of(peer(3)), iter(range(10_000, 10**9))

    def invent(_whom: PeerKey, _place: int) -> list[Hint]:
        return [(peer(next(numbers)), at(n)) for n in range(50)]

    search = Lookup(target, ME)
    search.start(hints(CROWD[:3]))
    assert run(search, invent) <= QUESTIONS_MAX
    assert len(search.heard) <= CANDIDATES_MAX


def test_one_network_is_asked_few_questions() -> None:
    numbers = iter(range(10_000, 10**9))

    def invent(_whom: PeerKey, _place: int) -> list[Hint]:
        return [(peer(next(numbers)), (f"/ip4/5.5.1.{n}/tcp/1",)) for n in range(20)]

    search = Lookup(place_of(peer(3)), ME)
    search.start(hints(CROWD[:3]))
    assert run(search, invent) <= 3 + lookup.QUESTIONS_PER_GROUP


def test_what_may_not_be_dialled_is_not_heard_and_nobody_is_replaced() -> None:
    search = Lookup(place_of(peer(1)), ME)
    search.start(hints([CROWD[0]]))
    search.next()
    search.told(
        CROWD[0], [(CROWD[1], ("/bad",)), (CROWD[0], ("/else",)), (ME, at(1))], lambda address: "ip4" in address
    )
    assert search.heard == dict(hints([CROWD[0]]))


def test_newcomers_do_not_push_out_who_answers() -> None:
    buckets = Buckets(ME)
    half = [each for each in CROWD if place_of(each) >> 255 != place_of(ME) >> 255]
    for each in half:
        buckets.add(each)
    assert len(buckets) == BUCKET
    assert set(buckets.nearest(place_of(half[0]))) == set(half[:BUCKET])
    buckets.remove(half[0])
    buckets.add(half[-1])
    assert half[-1] in buckets.nearest(place_of(half[0]))
    buckets.add(ME)
    assert len(buckets) == BUCKET
