"""The dev chain's time and blocks, steered on a clock that the test holds."""

import pytest

from contracts.devchain_controls import TRAVEL_MAX_S, Controls
from contracts.devchain_rpc import JsonRpc
from contracts.devchain_state import StateFile

BOB = b"\xbb" * 20


class Rig:
    def __init__(self, path, *, at_once=False):
        self.state = StateFile(path, 99)
        self.time = float(self.state.ledger.head.timestamp)
        self.controls = Controls(self.state, lambda: self.time, at_once=at_once)
        self.rpc = JsonRpc(self.state.ledger, self.controls.submit, self.controls.methods)

    def ask(self, method, *params):
        answer = self.rpc.answer({"id": 1, "method": method, "params": list(params)})
        return answer["result"] if "result" in answer else answer["error"]["message"]

    @property
    def head(self):
        return self.state.ledger.head


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "chain.jsonl")


def test_blocks_follow_the_clock_and_run_ahead_if_they_must(rig):
    start = rig.head.timestamp
    rig.time += 7
    rig.ask("evm_mine")
    assert rig.head.timestamp == start + 7
    rig.ask("evm_mine")
    rig.ask("evm_mine")
    assert (rig.head.block_number, rig.head.timestamp) == (3, start + 9)


def test_travelling_counts_from_the_head_and_is_for_good(rig, tmp_path):
    for _ in range(5):
        rig.ask("evm_mine")  # five seconds ahead of the clock
    before = rig.head.timestamp
    rig.ask("evm_increaseTime", 100)
    rig.ask("evm_mine")
    assert rig.head.timestamp == before + 100
    rig.time += 3
    rig.ask("evm_mine")
    assert rig.head.timestamp == before + 103
    rig.ask("evm_mine", hex(before + 500))
    assert rig.head.timestamp == before + 500
    rig.state._file.close()
    again = Rig(tmp_path / "chain.jsonl")
    again.time = rig.time + 10
    again.controls = Controls(again.state, lambda: rig.time)
    again.controls.mine()
    assert again.head.timestamp == before + 501, "it goes on from where it was"


def test_with_at_once_each_transaction_gets_its_block(rig):
    rig.ask("dev_faucet", f"0x{BOB.hex()}", "0x5")
    assert rig.state.ledger.balance(BOB) == 0
    rig.ask("evm_setAutomine", True)
    rig.ask("dev_faucet", f"0x{BOB.hex()}", "0x7")
    assert rig.state.ledger.balance(BOB) == 12
    assert rig.head.block_number == 1


def test_a_snapshot_is_gone_back_to_once_and_a_restart_knows_it(rig, tmp_path):
    rig.ask("dev_faucet", f"0x{BOB.hex()}", "0x5")
    noted = rig.ask("evm_snapshot")
    rig.ask("evm_mine")
    assert rig.state.ledger.balance(BOB) == 5
    later = rig.ask("evm_snapshot")
    assert rig.ask("evm_revert", noted) is True
    assert (rig.state.ledger.balance(BOB), rig.head.block_number) == (0, 0)
    assert rig.ask("evm_revert", later) is False, "a later snapshot is void"
    assert rig.ask("evm_revert", noted) is False
    rig.ask("evm_mine")
    assert rig.state.ledger.balance(BOB) == 5, "what waited then waits again"
    rig.state._file.close()
    assert StateFile(tmp_path / "chain.jsonl", None).ledger.head.hash == rig.head.hash


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("evm_increaseTime", ["soon"], "is not a quantity"),
        ("evm_increaseTime", [TRAVEL_MAX_S + 1], "too far"),
        ("evm_setAutomine", [1], "true or false"),
        ("evm_revert", [None], "is not a quantity"),
        ("evm_mine", ["x"], "is not a quantity"),
    ],
)
def test_nonsense_is_refused_in_words(rig, method, params, words):
    assert words in rig.ask(method, *params)
    assert rig.head.block_number == 0
