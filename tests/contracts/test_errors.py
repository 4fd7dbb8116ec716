import re

from hypothesis import given
from hypothesis import strategies as st

from contracts.abi import CONTRACTS, interface, selector
from contracts.errors import WORDS, Revert, revert


def test_every_error_of_the_contracts_has_words_for_all_of_its_arguments():
    errors = {entry["name"]: entry for name in CONTRACTS for entry in interface(name).errors.values()}
    assert sorted(errors) == sorted(WORDS)
    for name, entry in errors.items():
        named = set(re.findall(r"{(\w+)(?::units)?}", WORDS[name]))
        assert named <= {field["name"] for field in entry["inputs"]}, name


def test_a_custom_error_is_told_to_people():
    entry = next(e for e in interface("OperatorRegistry").errors.values() if e["name"] == "StakeTooSmall")
    data = selector(entry) + (3).to_bytes(32, "big") + (10**18).to_bytes(32, "big")
    assert revert(data) == Revert("StakeTooSmall", "the stake of 3 wei is below the minimum of 1000000000000000000 wei")


def test_amounts_are_told_in_whole_tokens():
    found = next(e for e in interface("DMPToken").errors.values() if e["name"] == "ERC20InsufficientBalance")
    data = selector(found) + b"".join(each.to_bytes(32, "big") for each in (1, 25 * 10**17, 10**20))
    assert revert(data).words == "0x0000000000000000000000000000000000000001 holds 2.5 of the token and needs 100"


def test_a_proposal_s_state_has_its_name():
    entry = interface("SubnetGovernor").errors
    found = next(each for each in entry.values() if each["name"] == "GovernorUnexpectedProposalState")
    data = selector(found) + b"".join(number.to_bytes(32, "big") for number in (5, 3, 2))
    assert revert(data).words == "proposal 5 is defeated, and this needs another state"


def test_solidity_s_own_errors_are_told():
    text = b"too bad".ljust(32, b"\0")
    message = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (7).to_bytes(32, "big") + text
    assert revert(message) == Revert("Error", "Error: too bad")
    assert revert(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")).words == "Panic: 17"


@given(st.binary(max_size=200))
def test_any_revert_data_have_words(data):
    assert revert(data).words
