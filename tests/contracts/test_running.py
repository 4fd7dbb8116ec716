"""Time, blocks, snapshots and coins are steered alike on the embedded chain and on anvil."""

import pytest

from contracts.anvil import anvil
from contracts.devchain import devchain
from contracts.running import ControlError

BOB = b"\xbb" * 20


@pytest.fixture(params=["embedded", "anvil"])
def chain(request, tmp_path):
    running = anvil() if request.param == "anvil" else devchain(tmp_path / "chain.jsonl", block_seconds=0)
    with running as made:
        yield made


def balance(chain):
    return int(chain.ask("eth_getBalance", f"0x{BOB.hex()}", "latest"), 16)


def head(chain):
    block = chain.ask("eth_getBlockByNumber", "latest", False)
    return int(block["number"], 16), int(block["timestamp"], 16)


def test_a_chain_is_steered(chain):
    number, _ = head(chain)
    chain.mine(3)
    assert head(chain)[0] == number + 3
    before = head(chain)
    chain.travel(1000)
    assert head(chain) == (before[0] + 1, before[1] + 1000)
    chain.mine()
    assert head(chain)[1] >= before[1] + 1000, "the clock goes on from there"
    chain.fund(BOB, 12)
    noted = chain.snapshot()
    chain.fund(BOB, 5)
    chain.mine()
    assert balance(chain) == 17
    chain.revert(noted)
    assert balance(chain) == 12
    with pytest.raises(ControlError, match=f"there is no snapshot {noted}"):
        chain.revert(noted)


def test_what_a_chain_refuses_has_words(chain):
    with pytest.raises(ControlError, match="eth_nothing: "):
        chain.ask("eth_nothing")
