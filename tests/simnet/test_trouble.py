from simnet.trouble import causes


def test_causes_are_found_in_groups_of_groups() -> None:
    one, two = ValueError("one"), KeyError("two")
    assert list(causes(ExceptionGroup("outer", [one, ExceptionGroup("inner", [two])]))) == [one, two]
    assert list(causes(one)) == [one]
