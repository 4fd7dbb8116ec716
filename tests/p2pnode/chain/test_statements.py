import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.chain.statements import Kind, OperatorStatements, Statement, digest, sign, signer, step_value, sum_value
from protocols.types import Address, Digest, Height
from protocols.verification.proofs import Stated, SumStatement

ACCOUNT = Account.from_key(b"\x07" * 32)
ME = Address(bytes.fromhex(ACCOUNT.address[2:]))
REGISTRY = Address(b"\x11" * 20)
STATEMENT = Statement(Kind.VOTE, 3, 5, 27, 258, b"v" * 32)
VECTORS = Path(__file__).parents[2] / "vectors" / "statements.json"


def typed_data(statement, chain_id, registry):
    """The same by the library's own EIP-712."""
    names = {"kind": "uint8", "subnetId": "uint256", "epoch": "uint64", "height": "uint64", "place": "uint64"}
    types = {"Statement": [{"name": name, "type": kind} for name, kind in [*names.items(), ("value", "bytes32")]]}
    domain = {"name": "2PM", "version": "1", "chainId": chain_id, "verifyingContract": f"0x{registry.hex()}"}
    values = statement.kind, statement.subnet_id, statement.epoch, statement.height, statement.place, statement.value
    return domain, types, dict(zip([*names, "value"], values, strict=True))


def test_the_digest_is_eip_712_s():
    signed = ACCOUNT.sign_typed_data(*typed_data(STATEMENT, 77, REGISTRY))
    assert bytes(signed.message_hash) == digest(STATEMENT, 77, REGISTRY)
    assert sign(ACCOUNT, STATEMENT, 77, REGISTRY)[:32] == signed.r.to_bytes(32, "big")


@given(st.sampled_from(Kind), *[st.integers(0, 2**64 - 1)] * 4, st.binary(min_size=32, max_size=32))
def test_who_signed_is_recovered_and_nothing_of_a_statement_may_change(kind, subnet, epoch, height, place, value):
    statement = Statement(kind, subnet, epoch, height, place, value)
    signature = sign(ACCOUNT, statement, 77, REGISTRY)
    assert len(signature) == 64
    assert signer(signature, statement, 77, REGISTRY) == ME
    for chain_id, registry in ((78, REGISTRY), (77, Address(b"\x12" * 20))):
        assert signer(signature, statement, chain_id, registry) != ME


def test_an_operator_answers_for_a_sum_and_for_nothing_else():
    said = SumStatement(3, 5, Height(27), 2, 40, (Digest(b"a" * 32), Digest(b"b" * 32)), 16, Digest(b"s" * 32))
    mine = OperatorStatements(ACCOUNT, 77, REGISTRY)
    signature = mine.sign_sum(said)
    value = sum_value(40, said.roots, 16, said.sum_root)
    assert signature == sign(ACCOUNT, Statement(Kind.AGGREGATE, 3, 5, 27, 2, value), 77, REGISTRY)
    assert mine.signer_of_sum(said, signature) == ME
    for other in (replace(said, cell=1), replace(said, roots=said.roots[::-1]), replace(said, height=Height(28))):
        assert mine.signer_of_sum(other, signature) != ME
    assert OperatorStatements(ACCOUNT, 78, REGISTRY).signer_of_sum(said, signature) != ME
    assert mine.signer_of_sum(said, b"\xff" * 64) is None


def test_any_statement_is_read_by_its_fields_as_the_chain_knows_them():
    said = SumStatement(3, 5, Height(27), 2, 40, (Digest(b"a" * 32),), 16, Digest(b"s" * 32))
    mine = OperatorStatements(ACCOUNT, 77, REGISTRY)
    stated = mine.of_sum(said)
    assert stated == Stated(5, 3, 5, 27, 2, sum_value(40, said.roots, 16, said.sum_root))
    assert mine.signer_of(stated, mine.sign_sum(said)) == ME
    assert mine.signer_of(replace(stated, place=3), mine.sign_sum(said)) != ME
    assert mine.signer_of(replace(stated, kind=9), mine.sign_sum(said)) is None
    assert mine.signer_of(stated, b"\xff" * 64) is None


def test_signatures_repeat():
    assert sign(ACCOUNT, STATEMENT, 77, REGISTRY) == sign(ACCOUNT, STATEMENT, 77, REGISTRY)


def test_what_is_no_signature_is_told():
    with pytest.raises(ValueError, match="signature"):
        signer(bytes(64), STATEMENT, 77, REGISTRY)


def test_the_vectors_that_the_contracts_read_are_these():
    roots = [Digest(bytes([number]) * 32) for number in (1, 2, 3)]
    made = {
        "chain_id": 77,
        "registry": f"0x{REGISTRY.hex()}",
        "statement": [2, 3, 5, 27, 258, f"0x{STATEMENT.value.hex()}"],
        "digest": f"0x{digest(STATEMENT, 77, REGISTRY).hex()}",
        "signature": f"0x{sign(ACCOUNT, STATEMENT, 77, REGISTRY).hex()}",
        "signer": f"0x{ME.hex()}",
        "sum": {
            "chunks": 2,
            "roots": [f"0x{root.hex()}" for root in roots],
            "summed": 2,
            "sum_root": f"0x{(b's' * 32).hex()}",
            "value": f"0x{sum_value(2, roots, 2, Digest(b's' * 32)).hex()}",
        },
        "step": f"0x{step_value(b't' * 32, b'a' * 32, b'b' * 32).hex()}",
    }
    assert json.loads(VECTORS.read_text()) == made
