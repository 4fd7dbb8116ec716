import dataclasses
import re

from contracts import bindings
from contracts.abi import interface


def test_results_have_the_fields_of_the_contracts_structs_in_order():
    for contract, function, kind in (
        ("SubnetRegistry", "subnet", bindings.Subnet),
        ("OperatorRegistry", "operators", bindings.Operator),
        ("CheckpointAnchor", "recordOf", bindings.Record),
        ("CheckpointAnchor", "bondOf", bindings.Bond),
        ("Attestation", "tallyOf", bindings.Tally),
        ("Attestation", "snapshotOf", bindings.Snapshot),
    ):
        (output,) = interface(contract)._entries["function", function]["outputs"]
        assert [field.name for field in dataclasses.fields(kind)] == [snake(c["name"]) for c in output["components"]]


def test_arguments_have_the_fields_of_the_contracts_structs_in_order():
    _, checkpoint, place = interface("CheckpointAnchor")._entries["function", "open"]["inputs"]
    for entry, kind in ((checkpoint, bindings.Checkpoint), (place, bindings.Place)):
        assert [field.name for field in dataclasses.fields(kind)] == [snake(c["name"]) for c in entry["components"]]


def test_a_checkpoints_key_is_the_contracts(world):
    checkpoint = bindings.Checkpoint(3, b"h" * 32, b"p" * 32, b"d" * 32)
    call = interface("CheckpointAnchor").call("keyOf", 7, dataclasses.astuple(checkpoint))
    view = bindings.View(world.anchor.address, call, lambda data: data)
    assert world.ask(view) == bindings.checkpoint_key(7, checkpoint)


def snake(name):
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
