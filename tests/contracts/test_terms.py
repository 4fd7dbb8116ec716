import dataclasses
import re

from contracts.abi import interface
from contracts.terms import Economics, Parent, Terms, Windows


def test_the_structs_have_the_contracts_fields_in_order():
    (struct,) = interface("SubnetRegistry")._entries["function", "found"]["inputs"]
    parts = {component["name"]: component for component in struct["components"]}
    names = [re.sub(r"[A-Z]", lambda c: "_" + c[0].lower(), name) for name in parts]
    values = Terms(b"f", b"o", b"a", b"params", b"task", b"model", b"schema").encoded()
    assert dict(zip(names[:7], values[:7], strict=True)) == {
        **{"founder": b"f", "operators": b"o", "anchor": b"a", "model": b"model", "schema": b"schema"},
        **{"params": b"params", "task": b"task"},
    }
    for name, kind in (("windows", Windows), ("economics", Economics), ("parents", Parent)):
        ours = [field.name for field in dataclasses.fields(kind)]
        theirs = [component["name"] for component in parts[name]["components"]]
        assert ours == [re.sub(r"[A-Z]", lambda c: "_" + c[0].lower(), one) for one in theirs]


def test_parents_are_encoded_as_tuples():
    terms = Terms(b"f", b"o", b"a", b"p", b"t", parents=(Parent(1, 2), Parent(3, 4)))
    assert terms.encoded()[-1] == [(1, 2), (3, 4)]
