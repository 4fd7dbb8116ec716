import dataclasses
import re

from hypothesis import given
from hypothesis import strategies as st

from contracts import bindings
from contracts.abi import CONTRACTS, interface, selector


def test_every_error_of_the_contracts_has_words_for_all_of_its_arguments():
    errors = {entry["name"]: entry for name in CONTRACTS for entry in interface(name).errors.values()}
    assert sorted(errors) == sorted(bindings.WORDS)
    for name, entry in errors.items():
        named = set(re.findall(r"{(\w+)}", bindings.WORDS[name]))
        assert named <= {field["name"] for field in entry["inputs"]}, name


LIBRARIES = re.compile(
    r"AuthorityUpdated|Approval|Delegate\w+|EIP712DomainChanged|OperatorSet|Proposal\w+|Quorum\w+|TimelockChange|Transfer"
    r"|VoteCastWithParams|Voting\w+Set"
)
"""Events of OpenZeppelin's contracts, which nobody of ours waits for."""


def test_every_event_of_the_contracts_has_its_dataclass_in_the_same_order():
    ours = [name for name in CONTRACTS if name not in ("Authority", "Timelock")]
    events = {entry["name"]: entry for name in ours for entry in interface(name).events.values()}
    # The EigenLayer source's OperatorLeft has fewer fields than the registry's, which nodes read.
    events |= {entry["name"]: entry for entry in interface("OperatorRegistry").events.values()}
    assert sorted(name for name in events if not LIBRARIES.fullmatch(name)) == sorted(bindings.EVENTS)
    for name in bindings.EVENTS:
        fields = [field.name for field in dataclasses.fields(bindings.EVENTS[name])]
        assert fields == [snake(field["name"]) for field in events[name]["inputs"]]


def test_results_have_the_fields_of_the_contracts_structs_in_order():
    for contract, function, kind in (
        ("SubnetRegistry", "subnet", bindings.Subnet),
        ("OperatorRegistry", "operators", bindings.Operator),
        ("CheckpointAnchor", "checkpoints", bindings.Checkpoint),
    ):
        (output,) = interface(contract)._entries["function", function]["outputs"]
        assert [field.name for field in dataclasses.fields(kind)] == [snake(c["name"]) for c in output["components"]]


def test_a_custom_error_is_told_to_people():
    entry = next(e for e in interface("OperatorRegistry").errors.values() if e["name"] == "StakeTooSmall")
    data = selector(entry) + (3).to_bytes(32, "big") + (10**18).to_bytes(32, "big")
    assert bindings.revert(data) == bindings.Revert(
        "StakeTooSmall", "the stake of 3 wei is below the minimum of 1000000000000000000 wei"
    )


def test_solidity_s_own_errors_are_told():
    text = b"too bad".ljust(32, b"\0")
    message = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (7).to_bytes(32, "big") + text
    assert bindings.revert(message) == bindings.Revert("Error", "Error: too bad")
    assert bindings.revert(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")).words == "Panic: 17"


@given(st.binary(max_size=200))
def test_any_revert_data_have_words(data):
    assert bindings.revert(data).words


def test_a_foreign_log_is_no_event():
    assert bindings.event([b"\x01" * 32], b"") is None
    assert bindings.event([], b"") is None


def snake(name):
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
