"""Attempts to have honest members release what opens one update: under-sized sets, second sets, restarts, forks.

Each is first shown to work on members that are a little less careful, so that the rule is what prevents it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest

from protocols.agreement.certificate import check_list, list_digest, signatures
from protocols.effects import Effect, Effects, Journal, Send
from protocols.encryption.packing import pack_share, unpack_share
from protocols.encryption.scheme import Lanes, PublicContext, Share
from protocols.encryption.sharing import add_shares
from protocols.errors import RemoteError
from protocols.events import Started
from protocols.rounds.aggregate import add, verify_ciphertexts
from protocols.rounds.custody import Custody
from protocols.rounds.release import ReleaseRule
from protocols.rounds.seen import SeenDealings
from protocols.told import Certified
from protocols.types import NO_DIGEST
from protocols.wire.messages import PRECOMMIT, CellSet, ListCertificate, Release, SetList, Vote
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    PARAMS,
    ROUND,
    SCHEMA,
    SCHEME,
    VIEW,
    Submitted,
    lanes_of,
    of,
    sent,
    set_of,
    submit,
)

MADE = [submit(peer) for peer in CELLS[0]]
VICTIM, *OTHERS = MADE
ALL, SMALLER = set_of(0, MADE), set_of(0, OTHERS)
UPDATE = lanes_of(CELLS[0][0])
N, T = 4, 3
Rule = Callable[[Sequence[Journal]], ReleaseRule]


def certified(cell_set: CellSet) -> Certified:
    """With t true signatures: whoever can make these two for one cell has t members under its hands."""
    sets = SetList(VIEW.slot(ROUND), (cell_set,))
    votes = {
        member: COMMITTEE[member - 1].sign(Vote(sets.slot, 0, PRECOMMIT, list_digest(sets), None))
        for member in range(1, T + 1)
    }
    certificate = ListCertificate(sets, 0, signatures(votes, T))
    check_list(certificate, VIEW)
    return Certified(certificate)


def careful(journal: Sequence[Journal]) -> ReleaseRule:
    return ReleaseRule(PARAMS.k_min, journal)


def forgetful(_: Sequence[Journal]) -> ReleaseRule:
    return ReleaseRule(PARAMS.k_min)


class Member:
    """An honest member with all its shares: even when it comes back, as if it had lost nothing but its memory."""

    def __init__(self, index: int, rule: Rule = careful) -> None:
        self.index, self.rule = index, rule
        self.journal: list[Journal] = []

    def asked_for(self, cell_set: CellSet) -> Share | None:
        """What it releases for a certified set, after a restart."""
        peer, key = COMMITTEE[self.index - 1], EPOCH_KEYS[self.index]
        rule = self.rule(self.journal)
        machine = Custody(VIEW, ROUND, NO_DIGEST, peer.key, peer.sign, SCHEME, 1, key, rule, SeenDealings())
        machine.handle(Started(), 0)
        for made in MADE:
            machine.handle(made.to(self.index), 0)
        return self.perform(machine.handle(certified(cell_set), 0))

    def perform(self, effects: Effects) -> Share | None:
        self.journal += of(effects, Journal)
        released = sent(effects, Release)
        return unpack_share(released[0].share) if released else None


def committee(rule: Rule = careful) -> list[Member]:
    return [Member(index, rule) for index in range(1, N + 1)]


def released(members: Iterable[Member], cell_set: CellSet) -> dict[int, Share]:
    answers = {member.index: member.asked_for(cell_set) for member in members}
    return {index: share for index, share in answers.items() if share is not None}


def opened(made: Sequence[Submitted], shares: Mapping[int, Share]) -> Lanes:
    """The sum of these contributions, for whoever has t shares of the sum of their keys."""
    total = add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made])
    context = PublicContext(VIEW.round_beacon(ROUND), ROUND, 0)
    return SCHEME.open(total.residues, context, shares, T, len(made), SCHEMA.layout).lanes


# ------------------------------------------------------------------------------------------------- a second set


def test_members_without_memory_give_the_victims_update_away() -> None:
    members = committee(forgetful)
    stolen = opened(MADE, released(members, ALL)) - opened(OTHERS, released(members, SMALLER))
    assert (stolen == UPDATE).all()


@pytest.mark.parametrize(("first", "second"), [(ALL, SMALLER), (SMALLER, ALL)], ids=["smaller", "larger"])
def test_after_every_restart_a_member_refuses_the_second_set(first: CellSet, second: CellSet) -> None:
    members = committee()
    assert len(released(members, first)) == N
    assert released(members, second) == {}
    assert len(released(members, first)) == N, "the same set again is harmless"
    assert released(members, second) == {}


def test_of_all_sets_of_a_cell_only_one_is_ever_released() -> None:
    sets = [set_of(0, chosen) for size in (3, 4) for chosen in combinations(MADE, size)]
    assert len(sets) == 5
    for first in sets:
        member = Member(1)
        answers = [member.asked_for(each) is not None for each in (first, *sets)]
        assert answers == [True, *(each == first for each in sets)]


@pytest.mark.parametrize("split", range(N + 1))
def test_a_forked_agreement_opens_at_most_one_of_two_sets(split: int) -> None:
    """Some members are shown S, the others S without the victim; then each side is shown the other's list too."""
    members = committee()
    shares = {id(ALL): released(members[:split], ALL), id(SMALLER): released(members[split:], SMALLER)}
    shares[id(ALL)] |= released(members[split:], ALL)
    shares[id(SMALLER)] |= released(members[:split], SMALLER)
    assert len(shares[id(ALL)]) + len(shares[id(SMALLER)]) == N
    opens = [len(each) >= T for each in shares.values()]
    assert sum(opens) <= 1
    if not opens[0]:
        with pytest.raises(RemoteError, match="members released"):
            opened(MADE, shares[id(ALL)])


def test_the_two_sides_shares_do_not_combine() -> None:
    """Two of S and two of the smaller set: no three of them lie on one key's polynomial."""
    members = committee()
    mixed = released(members[:2], ALL) | released(members[2:], SMALLER)
    assert len(mixed) == N
    for made in (MADE, OTHERS, [VICTIM]):
        with pytest.raises(RemoteError):
            opened(made, mixed)


def test_the_record_is_durable_before_the_share_leaves() -> None:
    """A crash between the two must never leave a share outside and nothing on the disk."""
    peer = COMMITTEE[0]
    machine = Custody(
        VIEW, ROUND, NO_DIGEST, peer.key, peer.sign, SCHEME, 1, EPOCH_KEYS[1], careful([]), SeenDealings()
    )
    machine.handle(Started(), 0)
    for made in MADE:
        machine.handle(made.to(1), 0)
    effects = machine.handle(certified(ALL), 0)
    for crash in range(len(effects) + 1):
        performed: list[Effect] = effects[:crash]
        member = Member(1)
        member.perform(performed)
        second = member.asked_for(SMALLER)
        assert not of(performed, Send) or second is None


# ------------------------------------------------------------------------------------------- a set under k_min


def careless_release(index: int, made: Iterable[Submitted]) -> Share:
    """What a member without the rule would release for any set."""
    return unpack_share(pack_share(add_shares([each.share(index) for each in made])))


@pytest.mark.parametrize("accomplices", [0, 1])
def test_a_small_set_gives_the_victim_away_where_members_are_careless(accomplices: int) -> None:
    small = [VICTIM, *OTHERS[:accomplices]]
    total = opened(small, {index: careless_release(index, small) for index in range(1, N + 1)})
    known = sum((lanes_of(CELLS[0][1 + number]) for number in range(accomplices)), np.zeros(SCHEMA.limbs, np.int64))
    assert (total - known == UPDATE).all()


@pytest.mark.parametrize("size", [1, 2])
def test_no_set_under_k_min_is_ever_released(size: int) -> None:
    for chosen in combinations(MADE, size):
        assert released(committee(), set_of(0, chosen)) == {}


@pytest.mark.parametrize("padding", [VICTIM, OTHERS[0]])
def test_nor_one_that_is_padded_with_somebody_twice(padding: Submitted) -> None:
    """Two times the victim and one accomplice: the accomplice halves what is left."""
    assert released(committee(), set_of(0, [VICTIM, OTHERS[0], padding])) == {}


def test_nor_the_cells_contributions_under_another_cells_number() -> None:
    """Else cell 0's set and, as cell 1's, the set without the victim."""
    members = committee()
    assert len(released(members, ALL)) == N
    assert released(members, set_of(1, OTHERS)) == {}


def test_a_refused_set_leaves_the_right_one_open() -> None:
    members = committee()
    assert released(members, set_of(0, MADE[:2])) == {}
    assert (opened(MADE, released(members, ALL)) == sum(map(lanes_of, CELLS[0]))).all()
