"""Who of a virtual world is dishonest, and how: by name in the scenario, or drawn anew in each round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from p2pnode.team import AnyMachine, RoundContext, default_machines
from protocols.errors import LocalError
from protocols.types import PeerKey
from simnet.adversaries import aggregators, anybody, contributors, members
from simnet.adversaries.stage import Conspiracy, Scene, Strategy, Twisted, Veil

KINDS: Final[Mapping[str, type[Strategy]]] = {
    each.kind: each for each in (*members.KINDS, *contributors.KINDS, *aggregators.KINDS, *anybody.KINDS)
}
RANDOM: Final = "random"
"""One to three of all kinds, drawn anew for each round."""
AT_ONCE: Final = 3


class Cast:
    """The dishonest peers of one world.

    Args:
        plans: kinds by peer.
    """

    def __init__(self, seed: int, plans: Mapping[PeerKey, Sequence[str]]) -> None:
        self.plans = dict(plans)
        self.ring = Conspiracy(seed, frozenset(plans))

    def machines(self, context: RoundContext, veil: Veil) -> list[AnyMachine]:
        """The machines of a round, with what its strategies make of them."""
        random = Random(f"simnet adversary {self.ring.seed} {context.me.hex()} {context.height}")  # noqa: S311  # reproducible on purpose
        veil.reset()
        scene = Scene(context, random, self.ring, veil)
        strategies = [KINDS[kind](scene) for kind in self._kinds(context, random)]
        return [Twisted(machine, strategies, self.ring) for machine in default_machines(context)]

    def _kinds(self, context: RoundContext, random: Random) -> list[str]:
        kinds = [kind for kind in self.plans[context.me] if kind != RANDOM]
        if RANDOM in self.plans[context.me]:
            kinds += random.sample(sorted(KINDS), random.randint(1, AT_ONCE))
        return list(dict.fromkeys(kinds))


def check_kind(kind: str) -> None:
    """Raises LocalError unless there is such a kind of adversary."""
    if kind != RANDOM and kind not in KINDS:
        raise LocalError(f"unknown kind of adversary {kind!r}; known: {', '.join([RANDOM, *sorted(KINDS)])}")
