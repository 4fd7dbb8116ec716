"""What others see us at: believed only if networks agree that do not belong together."""

from __future__ import annotations

from p2pnode.transport.discovery.observed import GROUPS_MAX, WITNESSES, Observed

HERE, LIE = "9.9.9.9", "6.6.6.6"


def witnesses(observed: Observed, count: int, host: str, first: int = 20) -> None:
    for number in range(first, first + count):
        observed.saw(f"{number}.1.1.1", host)


def test_enough_networks_are_believed_fewer_not() -> None:
    observed = Observed()
    witnesses(observed, WITNESSES - 1, HERE)
    assert observed.believed is None
    witnesses(observed, WITNESSES, HERE)
    assert observed.believed == HERE


def test_a_liar_with_a_thousand_addresses_of_one_network_is_one_witness() -> None:
    observed = Observed()
    for number in range(1000):
        observed.saw(f"5.5.{number // 250}.{number % 250}", LIE)
    assert observed.believed is None
    witnesses(observed, WITNESSES, HERE)
    assert observed.believed == HERE


def test_where_half_say_otherwise_nobody_is_believed() -> None:
    observed = Observed()
    witnesses(observed, WITNESSES, HERE)
    witnesses(observed, WITNESSES, LIE, first=60)
    assert observed.believed is None


def test_who_moves_is_seen_at_the_new_place() -> None:
    observed = Observed()
    witnesses(observed, 8, HERE)
    witnesses(observed, 8, "9.9.9.10")
    assert observed.believed == "9.9.9.10"


def test_private_witnesses_and_private_sights_are_no_news() -> None:
    observed = Observed()
    for number in range(10):
        observed.saw(f"192.168.{number}.1", HERE)
        observed.saw("junk", HERE)
    witnesses(observed, 10, "10.0.0.7")
    witnesses(observed, 10, "junk")
    assert observed.believed is None


def test_what_is_remembered_is_bounded() -> None:
    observed = Observed()
    for number in range(20, 120):
        for more in range(10):
            observed.saw(f"{number}.{more}.1.1", HERE)
    assert len(observed._seen) == GROUPS_MAX
