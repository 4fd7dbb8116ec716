"""anvil itself: it starts, keeps its state, and ends with who started it."""

import os
import subprocess
import sys
import time

import pytest

from contracts.anvil import AnvilError, anvil, binary, start

BOB = b"\xbb" * 20


def test_the_binary_is_the_pinned_one():
    said = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout
    assert "1.7.1" in said


def test_its_state_outlives_a_stop(tmp_path):
    state = tmp_path / "state.json"
    with anvil(state=state, chain_id=77) as chain:
        chain.fund(BOB, 12)
        chain.mine(3)
        genesis = chain.ask("eth_getBlockByNumber", "0x0", False)["hash"]
    with anvil(state=state, chain_id=77) as chain:
        assert chain.ask("eth_getBalance", f"0x{BOB.hex()}", "latest") == "0xc"
        assert (chain.ask("eth_chainId"), chain.ask("eth_blockNumber")) == ("0x4d", "0x3")
        assert chain.ask("eth_getBlockByNumber", "0x0", False)["hash"] == genesis


def test_a_reorg_changes_blocks_but_not_their_number():
    with anvil() as chain:
        chain.mine(10)
        old = [chain.ask("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(11)]
        chain.reorg(8)
        new = [chain.ask("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(11)]
    assert [one == other for one, other in zip(old, new, strict=True)] == [True] * 3 + [False] * 8


def test_a_port_in_use_has_a_name():
    with anvil() as chain, pytest.raises(AnvilError, match="in use"):
        start(port=int(chain.url.rsplit(":", 1)[1]))


def test_it_ends_when_its_parent_is_killed():
    script = (
        "import time\n"
        "from contracts.anvil import start\n"
        "chain = start()\n"
        "print(chain.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    group = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while alive(group):
        assert time.monotonic() < deadline, "anvil outlives its parent"


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
