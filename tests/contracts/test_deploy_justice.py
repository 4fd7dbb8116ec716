"""Who may do what to whom, once all is deployed over JSON-RPC."""

import json

import pytest
from web3 import HTTPProvider, Web3

from contracts.abi import function_selector
from contracts.deploy import deploy
from contracts.deploy_justice import COURT, DISPUTES, SOURCE_SLASHER
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from contracts.economy import Authority
from contracts.games import DisputeGame

KEY = b"\x05" * 32


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with devchain(tmp_path_factory.mktemp("chain") / "chain.jsonl", block_seconds=0.1) as running:
        yield running


def test_courts_and_games_hold_just_their_powers(chain, tmp_path):
    def ask(view):
        call = {"to": Web3.to_checksum_address(view.to), "data": Web3.to_hex(view.data)}
        return view.decode(bytes(Web3(HTTPProvider(chain.url)).eth.call(call)))

    out = tmp_path / "deployment.json"
    made = deploy(chain.url, KEY, out, Economics(exit_delay_s=600))
    known = json.loads(out.read_text())
    where = {name: bytes.fromhex(known[name]) for name in ("slashing", "court", "dealing_court", "disputes")}
    powers = Authority(made.authority)
    held = {name: {role for role in range(1, 10) if ask(powers.has_role(role, who))} for name, who in where.items()}
    assert held == {
        "slashing": {SOURCE_SLASHER},
        "court": {COURT},
        "dealing_court": {COURT},
        "disputes": {COURT, DISPUTES},
    }
    for target, contract, function, role in (
        (where["slashing"], "SlashingManager", "report", COURT),
        (where["slashing"], "SlashingManager", "veto", 0),
        (made.source, "LocalStakeSource", "slash", SOURCE_SLASHER),
        (made.anchor, "CheckpointAnchor", "hold", DISPUTES),
        (made.anchor, "CheckpointAnchor", "settle", DISPUTES),
        (where["disputes"], "DisputeGame", "annul", 0),
        (where["disputes"], "DisputeGame", "setVerifier", 0),
    ):
        assert ask(powers.role_of(target, function_selector(contract, function))) == role, function
    # Stake stays slashable for as long as a dispute may take and its slash may wait.
    longest, terms = ask(DisputeGame(where["disputes"]).longest()), Economics()
    assert terms.challenge_s + longest + terms.slash_epoch_s + terms.veto_s <= terms.exit_delay_s
