from dataclasses import replace

import pytest

from contracts.build import SOURCES
from contracts.deploy_dao import Dao
from contracts.deploy_terms import GAME_ROUNDS, LIVE, Economics, longest_game_s, unsafe


def test_what_is_meant_for_strangers_is_safe_with_and_without_a_dao():
    assert unsafe(LIVE, Dao()) == []
    assert unsafe(LIVE, None) == []


def test_the_terms_of_a_dev_chain_are_not():
    found = unsafe(Economics(), Dao())
    assert len(found) == 7
    assert "games.payout_s is 60 s: the DAO needs 435600 s to annul or veto" in found
    assert len(unsafe(Economics(), None)) == 5, "without a DAO nobody votes"


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("commit_s", 599), ("challenge_s", 12), ("veto_s", 5 * 86400), ("exit_delay_s", 8 * 86400)],
)
def test_each_is_found_by_itself(name, seconds):
    (said,) = unsafe(replace(LIVE, **{name: seconds}), Dao())
    assert said.startswith(f"{name} is {seconds} s: ")


@pytest.mark.parametrize(("name", "seconds"), [("payout_s", 60), ("clock_s", 60), ("extension_s", 12), ("prove_s", 12)])
def test_each_rule_of_the_games_is_found_by_itself(name, seconds):
    (said,) = unsafe(replace(LIVE, games=replace(LIVE.games, **{name: seconds})), Dao())
    assert said.startswith(f"games.{name} is {seconds} s: ")


def test_the_longest_game_is_the_contracts():
    assert f"MAX_ROUNDS = {GAME_ROUNDS};" in (SOURCES / "DisputeGame.sol").read_text()
    assert longest_game_s(LIVE.games) == 2 * 3600 + 39 * 600 + 3600 + 1
