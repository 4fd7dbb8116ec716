import json

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from contracts.devchain_ledger import Genesis, Ledger
from contracts.devchain_rpc import MAX_BRACKETS, JsonRpc
from contracts.economy import Authority

ALICE = Account.from_key(b"\x02" * 32)
HERS = "0x" + ALICE.address[2:].lower()


@pytest.fixture
def ledger():
    return Ledger(Genesis(99, 1_700_000_000, b"\x01" * 32))


@pytest.fixture
def ask(ledger):
    rpc = JsonRpc(ledger, ledger.submit)

    def ask(method, *params):
        answer = rpc.answer({"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)})
        assert answer["id"] == 5
        return answer.get("result", answer.get("error"))

    return ask


@pytest.fixture
def registry(ledger, ask):
    """The address of a registry of powers, deployed by a transaction over JSON-RPC."""
    ask("dev_faucet", HERS, hex(10**18))
    ledger.seal(1_700_000_001)
    data = "0x" + Authority.deployment(bytes.fromhex(HERS[2:])).data.hex()
    gas = int(ask("eth_estimateGas", {"from": HERS, "data": data}), 16)
    fields = {"type": 2, "chainId": 99, "nonce": 0, "data": data, "gas": gas}
    signed = ALICE.sign_transaction(fields | {"value": 0, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1})
    sent = ask("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    assert ask("eth_getTransactionReceipt", sent) is None
    assert ask("eth_getTransactionCount", HERS, "pending") == "0x1"
    ledger.seal(1_700_000_002)
    receipt = ask("eth_getTransactionReceipt", sent)
    assert (receipt["status"], receipt["blockNumber"], receipt["from"].lower()) == ("0x1", "0x2", HERS)
    assert ask("eth_getTransactionByHash", sent)["blockHash"] == receipt["blockHash"]
    return receipt["contractAddress"]


def test_a_deployed_contract_answers(ask, registry):
    assert len(ask("eth_getCode", registry)) > 1000
    assert ask("eth_getCode", registry, "0x1") == "0x"
    call = {"to": registry, "data": "0x" + Authority(b"").has_role(0, bytes.fromhex(HERS[2:])).data.hex()}
    assert ask("eth_call", call, "latest") == f"0x{1:064x}{0:064x}"


def test_a_revert_carries_its_data(ask, registry):
    call = {"to": registry, "data": "0x" + Authority(b"").grant_role(7, bytes(20)).data.hex()}
    for method in ("eth_call", "eth_estimateGas"):
        error = ask(method, call)
        assert error["code"] == 3
        assert error["data"].endswith(f"{0:064x}" * 2)


def test_old_blocks_are_readable_by_number_and_hash(ledger, ask):
    for second in range(1, 6):
        ledger.seal(1_700_000_000 + second)
    third = ask("eth_getBlockByNumber", "0x3", False)
    assert (third["timestamp"], third["transactions"]) == (hex(1_700_000_003), [])
    assert ask("eth_getBlockByHash", third["hash"]) == third
    assert ask("eth_getBlockByNumber", "0x4", False)["parentHash"] == third["hash"]
    assert ask("eth_getBlockByNumber", "0x6", False) is None
    assert ask("eth_getBlockByNumber", "latest", False)["number"] == "0x5" == ask("eth_blockNumber")
    assert ask("eth_getBlockByNumber", "earliest", False)["number"] == "0x0"


def test_logs_are_found_by_range_address_and_topic(ledger, ask, registry):
    call = Authority(bytes.fromhex(registry[2:])).grant_role(1, bytes(20))
    fields = {"type": 2, "chainId": 99, "nonce": 1, "to": call.to, "data": call.data, "gas": 10**6, "value": 0}
    signed = ALICE.sign_transaction(fields | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1})
    ask("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    ledger.seal(1_700_000_003)
    (log,) = ask("eth_getLogs", {"fromBlock": "0x3", "toBlock": "latest", "address": registry})
    assert (log["blockNumber"], int(log["topics"][1], 16)) == ("0x3", 1)
    assert ask("eth_getLogs", {"fromBlock": "0x0", "topics": log["topics"][:2]}) == [log]
    assert ask("eth_getLogs", {"fromBlock": "0x0", "topics": [None, ["0x" + "77" * 32]]}) == []
    assert ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x1", "address": registry}) == []
    assert ask("eth_getLogs", {"fromBlock": "0x0", "address": HERS}) == []


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("eth_nothing", [], "no method eth_nothing"),
        ("eth_getBalance", [], "missing"),
        ("eth_getBalance", ["0x12"], "not an address"),
        ("eth_getBalance", ["0x" + "zz" * 20], "hex digits"),
        ("eth_getBalance", [HERS, "0x99"], "there is no block"),
        ("eth_getBalance", [HERS, "soon"], "not a quantity"),
        ("eth_call", ["call"], "must be an object"),
        ("dev_faucet", [HERS, -1], "not a quantity"),
        ("dev_faucet", [HERS, hex(10**40)], "insufficient funds"),
        ("eth_sendRawTransaction", ["0x00"], "not a signed transaction"),
    ],
)
def test_bad_requests_say_why(ask, method, params, words):
    assert words in ask(method, *params)["message"]


def test_batches_and_rubbish(ledger):
    rpc = JsonRpc(ledger, ledger.submit)
    batch = [{"id": number, "method": "eth_chainId"} for number in (1, 2)]
    assert [one["id"] for one in json.loads(rpc.answer_bytes(json.dumps(batch).encode()))] == [1, 2]
    for rubbish in (b"{", b"\xff", b"[" * MAX_BRACKETS):
        assert json.loads(rpc.answer_bytes(rubbish))["error"]["code"] == -32700
    for odd in (b"[]", b"7", b'{"id":1}', b"[" * 100_000):
        assert json.loads(rpc.answer_bytes(odd))["error"]["code"] == -32600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from([HERS, "latest", "0x0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["to", "data", "gas"]), inner),
    max_leaves=5,
)
METHODS = sorted(JsonRpc(Ledger(Genesis(1, 1, b"\x01" * 32)), bytes)._methods)


@given(st.sampled_from(METHODS), st.lists(JSON, max_size=3))
def test_no_request_brings_it_down(method, params):
    ledger = Ledger(Genesis(99, 1_700_000_000, b"\x01" * 32))
    answer = JsonRpc(ledger, ledger.submit).answer({"id": 1, "method": method, "params": params})
    assert ("result" in answer) != ("error" in answer)
