import pytest

from protocols.agreement.machine import Agreement
from protocols.errors import LocalError
from simnet.adversaries.cast import KINDS, RANDOM, Cast, check_kind
from simnet.adversaries.stage import Twisted
from tests.protocols.playbook import COMMITTEE
from tests.simnet.adversaries.stand import a_scene

ME = COMMITTEE[0].key


def test_kinds_have_names_of_their_own() -> None:
    assert len(KINDS) == 36
    assert all(kind and KINDS[kind].kind == kind for kind in KINDS)
    check_kind(RANDOM)
    with pytest.raises(LocalError, match="unknown kind of adversary 'unkind'; known: random, adaptive-shares"):
        check_kind("unkind")


def test_a_dishonest_peer_runs_every_machine_and_its_kinds() -> None:
    cast, scene = Cast(1, {ME: ["nil-votes", "late", "nil-votes"]}), a_scene()
    machines = cast.machines(scene.context, scene.veil)
    assert all(isinstance(machine, Twisted) for machine in machines)
    assert any(isinstance(machine.inner, Agreement) for machine in machines if isinstance(machine, Twisted))
    assert scene.veil.delay_s > 0


def test_random_kinds_follow_from_the_seed() -> None:
    def drawn(seed: int) -> list[str]:
        scene = a_scene()
        machine = Cast(seed, {ME: [RANDOM]}).machines(scene.context, scene.veil)[0]
        assert isinstance(machine, Twisted)
        return [strategy.kind for strategy in machine._strategies]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(20)}) > 10
    assert {kind for seed in range(200) for kind in drawn(seed)} == set(KINDS)
