from simnet.units import seconds, size


def test_units() -> None:
    assert [seconds(None), seconds(1.5), seconds(125)] == ["–", "1.50 s", "2 min 5 s"]
    assert [size(None), size(999), size(1500), size(2.5e12)] == ["–", "999 B", "1.5 kB", "2500.0 GB"]
