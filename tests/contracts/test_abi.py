import pytest

from contracts.abi import AbiError, decode_event, interface, selector


def test_selectors_and_encoding_are_the_abi_specification_s():
    transfer = {"type": "function", "name": "transfer", "inputs": [{"type": "address"}, {"type": "uint256"}]}
    assert selector(transfer).hex() == "a9059cbb"
    data = interface("SubnetRegistry").call("subnet", 7)
    assert data[4:] == (7).to_bytes(32, "big")


def test_addresses_are_plain_bytes_both_ways():
    registry = interface("OperatorRegistry")
    data = registry.call("standing", 1, b"\x11" * 20)
    assert data[4 + 32 :] == bytes(12) + b"\x11" * 20
    assert interface("SubnetRegistry").result("contractsOf", bytes(12) + b"\x22" * 20 + bytes(12) + b"\x33" * 20) == (
        b"\x22" * 20,
        b"\x33" * 20,
    )


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(31), b"\xff" * 64])
def test_what_is_no_result_has_a_name(data):
    with pytest.raises(AbiError, match=r"OperatorRegistry\.operators"):
        interface("OperatorRegistry").result("operators", data)


def test_a_short_log_has_a_name():
    entry = next(e for e in interface("CheckpointAnchor").events.values() if e["name"] == "Finalised")
    with pytest.raises(AbiError, match="Finalised"):
        decode_event(entry, [b"\0" * 32], b"")
