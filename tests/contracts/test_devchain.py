import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from contracts.devchain import DevChainError, devchain, start

BOB = "0x" + "bb" * 20


def ask(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
        return json.loads(answer.read())["result"]


def until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "chain.jsonl"


def test_kill_9_and_restart_give_the_same_blocks_and_state(state):
    with devchain(state, block_seconds=0.1) as chain:
        ask(chain.url, "dev_faucet", BOB, hex(12))
        until(lambda: ask(chain.url, "eth_getBalance", BOB, "latest") == hex(12))
        ask(chain.url, "dev_faucet", BOB, hex(5))  # perhaps not mined when it dies
        head = ask(chain.url, "eth_getBlockByNumber", "latest", False)
        chain_id = ask(chain.url, "eth_chainId")
        chain.process.kill()
    with devchain(state, block_seconds=0.1) as chain:
        assert ask(chain.url, "eth_getBlockByNumber", head["number"], False) == head
        assert ask(chain.url, "eth_chainId") == chain_id
        until(lambda: ask(chain.url, "eth_getBalance", BOB, "latest") == hex(17))


def test_blocks_come_by_themselves_a_second_apart(state):
    with devchain(state) as chain:
        until(lambda: int(ask(chain.url, "eth_blockNumber"), 16) >= 3)
        stamps = [int(ask(chain.url, "eth_getBlockByNumber", hex(n), False)["timestamp"], 16) for n in (1, 2, 3)]
        assert stamps[0] < stamps[1] < stamps[2] <= time.time()


def test_many_clients_at_once_from_several_processes(state):
    script = (
        "import json, sys, urllib.request as u\n"
        "for n in range(10):\n"
        f"    call = dict(id=1, method='dev_faucet', params=['{BOB}', '0x1'])\n"
        "    json.loads(u.urlopen(sys.argv[1], json.dumps(call).encode()).read())['result']\n"
    )
    with devchain(state, block_seconds=0.2) as chain:
        others = [subprocess.Popen([sys.executable, "-c", script, chain.url]) for _ in range(2)]
        threads = [threading.Thread(target=ask, args=(chain.url, "dev_faucet", BOB, "0x1")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [other.wait(30) for other in others] == [0, 0]
        until(lambda: ask(chain.url, "eth_getBalance", BOB, "latest") == hex(40))


def test_it_ends_when_its_parent_is_killed(state, tmp_path):
    script = (
        "import pathlib, sys, time\n"
        "from contracts.devchain import start\n"
        "print(start(pathlib.Path(sys.argv[1])).process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(state)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not alive(child))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_port_in_use_has_a_name(state):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DevChainError, match=r"port \d+ cannot be used: Address already in use"):
            start(state, port=taken.getsockname()[1])


def test_oversized_and_lengthless_requests_are_refused(state):
    with devchain(state) as chain:
        host, port = chain.url.removeprefix("http://").split(":")
        for head, status in ((b"Content-Length: 99999999\r\n", b" 413 "), (b"", b" 411 ")):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
                assert status in connection.recv(1000).splitlines()[0]
