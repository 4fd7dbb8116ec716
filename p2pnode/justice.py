"""What a node does with proofs of offences: brings each to the court, once, and sees the sentence through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from p2pnode.errors import ChainError, NoCourtError
from p2pnode.ports import Chain, Clock
from p2pnode.supervision import Observer
from protocols.verification.proofs import Contradiction, Proof

T = TypeVar("T")

TURN_S: Final = 4.0
"""By how much each further node waits, so that one is enough."""
TURNS: Final = 8
POLL_S: Final = 2.0
POLL_MAX_S: Final = 30.0
PATIENCE_S: Final = 600.0
"""For how long a court or chain that refuses or does not answer is asked again."""


class Justice:
    """Reports offences; each attempt first looks whether it is done, so all of it may be repeated at any time.

    Args:
        turn: any number of this node's; it spreads the nodes that found the same.

    Attributes:
        reporting: proofs that are not at the court yet.
    """

    def __init__(self, chain: Chain, clock: Clock, observe: Observer, turn: int) -> None:
        self._chain, self._clock, self._observe, self._turn = chain, clock, observe, turn % TURNS
        self.reporting = 0

    async def prosecute(self, proof: Proof) -> None:
        """Brings a proof to the court and sees its sentence through; a failure is shown with its reason."""
        about = _about(proof)
        try:
            self.reporting += 1
            try:
                await self._wait(self._turn * TURN_S)
                sent = await self._until_done(lambda: self._chain.prosecute(proof))
            finally:
                self.reporting -= 1
            self._observe("prosecuted" if sent else "prosecuted-by-others", about)
            while (left := await self._until_done(lambda: self._chain.punish(proof))) is not None:
                await self._wait(left + self._turn * TURN_S)
            self._observe("punished", about)
        except ChainError as error:
            self._observe("prosecute-failed", {**about, "reason": str(error)})

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What the chain refuses now (or cannot answer) it may take later; raises its last word when time is up."""
        deadline, pause = self._clock.now() + PATIENCE_S, POLL_S
        while True:
            try:
                return await attempt()
            except NoCourtError:
                raise
            except ChainError:
                if self._clock.now() >= deadline:
                    raise
            await self._wait(pause)
            pause = min(2 * pause, POLL_MAX_S)

    async def _wait(self, seconds: float) -> None:
        await self._clock.sleep_until(self._clock.now() + seconds)


def _about(proof: Proof) -> dict[str, object]:
    if isinstance(proof, Contradiction):
        one = proof.first
        return {"height": one.height, "kind": one.kind, "place": one.place, "culprit": proof.operator.hex()}
    return {"height": proof.stated.height, "cell": proof.stated.cell, "culprit": proof.culprit.hex()}
