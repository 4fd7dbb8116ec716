import pytest
from eth_account import Account

from contracts.devchain_ledger import MAX_SNAPSHOTS, Call, Genesis, Ledger, RefusedError

GENESIS = Genesis(99, 1_700_000_000, b"\x01" * 32)
ALICE = Account.from_key(b"\x02" * 32)
BOB = b"\xbb" * 20
HERS = bytes.fromhex(ALICE.address[2:])


def pay(nonce, value=1, **other):
    fields = {"to": BOB, "value": value, "gas": 21_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
    return bytes(ALICE.sign_transaction({"type": 2, "chainId": 99, "nonce": nonce} | fields | other).raw_transaction)


@pytest.fixture
def ledger():
    made = Ledger(GENESIS)
    made.submit(made.drip(HERS, 10**18))
    made.seal(1_700_000_001)
    return made


def test_the_faucet_pays_in_the_next_block(ledger):
    assert ledger.balance(HERS) == 10**18
    assert ledger.balance(HERS, ledger.header(0)) == 0


def test_same_inputs_give_the_same_blocks_and_others_do_not():
    def run(genesis, amount):
        made = Ledger(genesis)
        made.submit(made.drip(BOB, amount))
        return made.seal(1_700_000_005).hash

    assert run(GENESIS, 5) == run(GENESIS, 5)
    assert run(GENESIS, 5) != run(GENESIS, 6)
    assert run(GENESIS, 5) != run(Genesis(98, 1_700_000_000, b"\x01" * 32), 5)


def test_nonces_are_put_in_order_and_gaps_wait(ledger):
    for nonce in (3, 1, 0):
        ledger.submit(pay(nonce))
    assert ledger.nonce(HERS, pending=True) == 2
    assert ledger.nonce(HERS) == 0
    ledger.seal(1_700_000_002)
    assert ledger.balance(BOB) == 2
    ledger.submit(pay(2))
    ledger.seal(1_700_000_003)
    assert (ledger.balance(BOB), ledger.nonce(HERS)) == (4, 4)


def test_submitting_the_same_again_is_harmless(ledger):
    assert ledger.submit(pay(0)) == ledger.submit(pay(0))
    ledger.seal(1_700_000_002)
    assert ledger.balance(BOB) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not a signed transaction"),
        (b"\x02\xc0", "not a signed transaction"),
        (b"\x61\x01\x02", "not a signed transaction"),
        (b"\xf8" + b"\xff" * 40, "not a signed transaction"),
        (pay(0, chainId=98), "signed for chain 98, but this is chain 99"),
        (pay(0, value=10**19), "insufficient funds"),
        (pay(0, gas=20_000), "gas 20000 must be"),
        (pay(0, gas=30_000_001), "gas 30000001 must be"),
    ],
)
def test_refused_transactions_say_why(ledger, raw, reason):
    with pytest.raises(RefusedError, match=reason):
        ledger.submit(raw)


def test_a_used_or_taken_nonce_is_refused(ledger):
    ledger.submit(pay(0))
    with pytest.raises(RefusedError, match="nonce 0 is taken"):
        ledger.submit(pay(0, value=2))
    ledger.seal(1_700_000_002)
    with pytest.raises(RefusedError, match="nonce too low"):
        ledger.submit(pay(0, value=2))


def test_what_can_no_longer_be_paid_is_dropped_and_the_block_goes_on(ledger):
    ledger.submit(pay(0, value=6 * 10**17))
    ledger.submit(pay(1, value=6 * 10**17))
    ledger.submit(ledger.drip(BOB, 7))
    ledger.seal(1_700_000_002)
    assert ledger.balance(BOB) == 6 * 10**17 + 7
    assert ledger.nonce(HERS, pending=True) == 1


def test_a_full_block_leaves_the_rest_for_the_next(ledger):
    for nonce in range(2):
        ledger.submit(pay(nonce, gas=29_990_000, maxFeePerGas=10**9))
    ledger.seal(1_700_000_002)
    assert ledger.balance(BOB) == 1
    ledger.seal(1_700_000_003)
    assert ledger.balance(BOB) == 2


def test_time_goes_forward(ledger):
    with pytest.raises(ValueError, match="cannot follow"):
        ledger.seal(1_700_000_001)


def test_calls_leave_nothing_behind(ledger):
    before = ledger.head.state_root
    ledger.call(Call(BOB, value=5, sender=HERS))
    assert ledger.balance(BOB) == 0
    ledger.seal(1_700_000_002)
    assert ledger.head.state_root == before
    with pytest.raises(RefusedError):
        ledger.call(Call(BOB, value=10**19, sender=HERS))


def test_the_estimate_is_enough_and_not_much_more(ledger):
    data = bytes(range(256)) * 4
    gas = ledger.estimate_gas(Call(BOB, data, 1, HERS))
    transaction_hash = ledger.submit(pay(0, gas=gas, data=data))
    ledger.seal(1_700_000_002)
    mined = ledger.find(transaction_hash)
    assert mined is not None
    assert ledger.head.gas_used <= gas <= 2 * ledger.head.gas_used


def test_a_call_runs_at_the_earliest_next_time_whatever_the_clock_says(ledger):
    tell_time = bytes.fromhex("425f5260205ff3")  # TIMESTAMP, MSTORE at 0, RETURN 32 bytes
    assert int.from_bytes(ledger.call(Call(b"", tell_time)), "big") == 1_700_000_002
    assert int.from_bytes(ledger.call(Call(b"", tell_time), ledger.header(0)), "big") == 1_700_000_001


def test_what_waits_is_replaced_by_what_pays_a_tenth_more(ledger):
    ledger.submit(pay(0, value=1))
    for fees in ({"maxFeePerGas": 2 * 10**10}, {"maxPriorityFeePerGas": 10**9}, {}):
        with pytest.raises(RefusedError, match="pay a tenth more"):
            ledger.submit(pay(0, value=2, **fees))
    ledger.submit(pay(0, value=2, maxFeePerGas=2 * 10**10, maxPriorityFeePerGas=2))
    ledger.seal(1_700_000_002)
    assert (ledger.balance(BOB), ledger.nonce(HERS)) == (2, 1)


def test_snapshots_are_forgotten_when_there_are_too_many(ledger):
    first = ledger.snapshot()
    for _ in range(MAX_SNAPSHOTS):
        last = ledger.snapshot()
    assert not ledger.revert(first)
    assert ledger.revert(last)
