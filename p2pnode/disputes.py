"""A node's part in disputes about checkpoints: it defends what it proposed, and judges what it recomputed.

A proposer answers whoever challenges it, in time, from the certified rounds that it knows; a validator states what the
last step of a game leads to, by its own recomputation, and, if its owner wants it to, challenges checkpoints that are
voted on and that it found to be false. The moves follow from the chain and the journal alone
(protocols/verification/game.py): a node that was killed goes on where the game stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio

from p2pnode.duties import Duties
from p2pnode.errors import ChainError, Unreachable
from p2pnode.ports import AnchorRecord, Arena, Chain, Clock, Transport
from p2pnode.services import STEP, StepRequest, StepResponse
from p2pnode.supervision import Observer
from p2pnode.verdicts import Verdicts
from protocols.effects import Journal, Observe, Prosecute
from protocols.errors import RemoteError
from protocols.params import Params
from protocols.types import Address, Digest, Height, PeerKey
from protocols.verification.contradiction import accuse, contradiction
from protocols.verification.game import Game, Phase, Prove, judge, next_move
from protocols.verification.proofs import Contradiction, Stated
from protocols.verification.trace import STEPS_A_ROUND, State, Trace, states
from protocols.wire.codec import decode, encode

POLL_S: Final = 1.0
POLL_MAX_S: Final = 15.0
ASK_S: Final = 5.0
STAND_IN_S: Final = 6.0
"""For how long a validator leaves the proof to the sides, and by how much each further one waits."""
TURNS: Final = 8
WORD: Final = "step-statement"
"""Of the journal's records: what this operator stated of a step; of one step it never states another thing."""
STEP_MAX_BYTES: Final = 256
Keep = Callable[[Sequence[Journal]], Awaitable[None]]


class Disputes:
    """One node's.

    Args:
        keep: makes journal records durable; nothing that rests on them leaves before.
        prosecute: brings a contradiction to the court.
        meet: sees to connections with peers.
        judges: whether this node is a validator.
        challenges: whether it puts down bonds against what it found to be false.
        turn: any number of this node's; it spreads the nodes that could do the same.
    """

    def __init__(
        self,
        chain: Chain,
        clock: Clock,
        transport: Transport,
        observe: Observer,
        duties: Duties,
        verdicts: Verdicts,
        params: Params,
        keep: Keep,
        prosecute: Callable[[Prosecute], None],
        records: Sequence[Journal],
        *,
        judges: bool,
        challenges: bool,
        turn: int,
    ) -> None:
        self._chain, self._clock, self._transport, self._observe = chain, clock, transport, observe
        self._duties, self._verdicts, self._params = duties, verdicts, params
        self._keep, self._prosecute = keep, prosecute
        self._judges, self._challenges, self._turn = judges, challenges, turn % TURNS
        self._words = {record.slot: record.payload for record in records if record.kind == WORD}
        self._answers: dict[int, StepResponse] = {}
        self._heard: dict[tuple[int, Address], tuple[Stated, bytes]] = {}
        self._mine: set[int] | None = None
        self._accused: set[Address] = set()
        self._since: dict[int, float] = {}
        self._said: dict[object, str] = {}
        self._seen: dict[int, tuple[Phase, int, int]] = {}
        transport.serve(STEP, self._serve)

    async def run(self, arena: Arena) -> None:
        """Looks at the chain for ever, rarely while it does not answer."""
        pause = POLL_S
        while True:
            try:
                await self.look(arena)
                pause = POLL_S
            except ChainError as error:
                self._say("look", "disputes-failed", {"reason": str(error)})
                pause = min(2 * pause, POLL_MAX_S)
            await self._clock.sleep_until(self._clock.now() + pause)

    async def look(self, arena: Arena) -> None:
        """Does whatever is this node's to do now; one game's trouble stops no other."""
        records = await self._chain.anchors(0)
        known = {record.key: record for record in records}
        games = await arena.games()
        mine = {game.number for game in games if game.has_part(self._chain.operator)}
        if self._mine is None or self._mine - mine:  # after a restart, or since a game has paid
            await arena.withdraw()
        self._mine = mine
        for game in games:
            if game.key in known:
                try:
                    await self._attend(arena, game, known[game.key], records)
                except ChainError as error:
                    self._say(game.number, "dispute-failed", {"game": game.number, "reason": str(error)})
        if self._judges and self._challenges:
            await self._look_for_false_ones(arena, records)

    async def _attend(self, arena: Arena, game: Game, record: AnchorRecord, records: Sequence[AnchorRecord]) -> None:
        me = self._chain.operator
        self._tell(game, me)
        row = self._row(arena, record, records, game.steps)
        if self._judges and game.phase is Phase.PROVE:
            await self._judge(arena, game, row)
        trace = self._trace(arena, record, records) if me == game.defender else None
        move = next_move(game, me, (await self._chain.head()).timestamp, row, trace)
        if move is None and self._judges and game.phase is Phase.PROVE and self._stands_in(game):
            move = Prove()
        if isinstance(move, Prove):
            await self._prove(arena, game)
        elif move is not None:
            await arena.play(game, move, record)
            self._observe("dispute-move", {"game": game.number, "move": type(move).__name__.lower()})

    def _row(
        self, arena: Arena, record: AnchorRecord, records: Sequence[AnchorRecord], steps: int
    ) -> tuple[State, ...]:
        """This node's own states for a checkpoint; unknown where it cannot tell."""
        headers = self._duties.lineage(record, records)
        first, _ = arena.ends(record, record.params_digest)
        if headers is None:
            return (first, *[None] * steps)
        if not headers:
            return states(first, first, None, steps)
        _, last = arena.ends(record, headers[-1].params_digest)
        return states(first, last, [self._verdicts.of(header) for header in headers], steps)

    def _trace(self, arena: Arena, record: AnchorRecord, records: Sequence[AnchorRecord]) -> Trace | None:
        """What this node defends: the rounds as they were certified."""
        headers = self._duties.lineage(record, records)
        return Trace(*arena.ends(record, record.params_digest), headers) if headers else None

    async def _judge(self, arena: Arena, game: Game, row: Sequence[State]) -> None:
        """States what the last step leads to, once: the word is durable before anybody hears it."""
        if game.number in self._answers or self._chain.operator not in await arena.validators(game.key):
            return
        slot = game.number.to_bytes(8, "big") + game.low.to_bytes(4, "big")
        found = self._words.get(slot) or judge(game, row)
        if found is None:
            reason = "this node has not recomputed the step that is left"
            self._say((game.number, "silent"), "dispute-silent", {"game": game.number, "reason": reason})
            return
        if slot not in self._words:
            await self._keep([Journal(WORD, Height(game.height), slot, found)])
            self._words[slot] = found
        _, signature = arena.state(game, self._params.epoch(game.height), Digest(found))
        self._answers[game.number] = StepResponse(found, signature)
        self._observe("step-stated", {"game": game.number, "step": game.low, "for_defender": found == game.high_state})

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        """Tells whoever asks what this operator states: it is to be published anyway."""
        wanted = decode(request, StepRequest, STEP_MAX_BYTES)
        return encode(self._answers.get(wanted.game, StepResponse(b"", b"")))

    async def _prove(self, arena: Arena, game: Game) -> None:
        """Gathers the validators' statements, and ends the game as soon as two thirds agree."""
        votes: dict[Digest, dict[Address, bytes]] = {}
        epoch = self._params.epoch(game.height)
        for who, answer in (await self._gather(arena, game)).items():
            if len(answer.result) == 32 and await self._holds(arena, game, epoch, who, answer):
                votes.setdefault(Digest(answer.result), {})[who] = answer.signature
        for result, signatures in votes.items():
            if await arena.prove(game, epoch, result, signatures):
                self._observe("dispute-move", {"game": game.number, "move": "prove", "signers": len(signatures)})
                return

    async def _gather(self, arena: Arena, game: Game) -> Mapping[Address, StepResponse]:
        """What each validator states, as far as it can be reached."""
        deciding = {*await arena.validators(game.key)}
        peers = {each.address: each.peer for each in await self._chain.operators() if each.address in deciding}
        found: dict[Address, StepResponse] = {}
        mine = self._answers.get(game.number)
        if mine is not None and self._chain.operator in deciding:
            found[self._chain.operator] = mine
        request = encode(StepRequest(game.number))

        async def ask(who: Address, peer: PeerKey) -> None:
            with trio.move_on_after(ASK_S):
                try:
                    answer = await self._transport.request(peer, STEP, request, max_bytes=STEP_MAX_BYTES)
                    found[who] = decode(answer, StepResponse, STEP_MAX_BYTES)
                except (Unreachable, RemoteError):
                    return  # asked again at the next look; the others may do

        async with trio.open_nursery() as nursery:
            for who, peer in peers.items():
                if who != self._chain.operator:
                    nursery.start_soon(ask, who, peer)
        return found

    async def _holds(self, arena: Arena, game: Game, epoch: int, who: Address, answer: StepResponse) -> bool:
        """Whether the validator signed it; and if it signed something else before, the court hears of it."""
        statements = self._chain.statements
        stated = arena.stated(game, epoch, Digest(answer.result))
        if statements is None or statements.signer_of(stated, answer.signature) != who:
            self._say((game.number, who), "refused", {"kind": "step", "culprit": who.hex(), "reason": "not signed"})
            return False
        signed = stated, answer.signature
        before = self._heard.setdefault((game.number, who), signed)
        found = contradiction(who, before, signed)
        if found is not None:
            await self._accuse(found)
        return True

    async def _accuse(self, found: Contradiction) -> None:
        """Once: it is journalled before the court hears of it."""
        if found.operator in self._accused:
            return
        self._accused.add(found.operator)
        for effect in accuse(found):
            match effect:
                case Journal():
                    await self._keep([effect])
                case Observe(name=name, fields=fields):
                    self._observe(name, fields)
                case Prosecute():
                    self._prosecute(effect)

    def _stands_in(self, game: Game) -> bool:
        """Whether the sides have had their time to end the game."""
        since = self._since.setdefault(game.number, self._clock.now())
        return self._clock.now() >= since + STAND_IN_S * (1 + self._turn)

    async def _look_for_false_ones(self, arena: Arena, records: Sequence[AnchorRecord]) -> None:
        """Challenges what is voted on and is not what this node recomputed; what it has not recomputed it lets be."""
        for record in await arena.disputable():
            headers = self._duties.lineage(record, records)
            if headers is None or record.proposer == self._chain.operator:
                continue
            steps = STEPS_A_ROUND * max(1, len(headers))
            row = self._row(arena, record, records, steps)
            _, last = arena.ends(record, record.params_digest)
            if None in row or row[-1] == last:
                continue
            try:
                await arena.challenge(record)
                self._observe("challenged", {"height": record.height, "proposer": record.proposer.hex()})
            except ChainError as error:
                about = {"height": record.height, "reason": str(error)}
                self._say(record.key, "challenge-failed", about)

    def _tell(self, game: Game, me: Address) -> None:
        """Says what has become of the games in which this node is a side."""
        stands = game.phase, game.low, game.high
        if self._seen.get(game.number) == stands or not game.has_part(me):
            return
        self._seen[game.number] = stands
        side = "defender" if me == game.defender else "challenger"
        fields = {"game": game.number, "side": side, "phase": game.phase.name.lower(), "low": game.low}
        self._observe("dispute", {**fields, "high": game.high, "outcome": game.outcome.name.lower()})

    def _say(self, what: object, name: str, fields: Mapping[str, object]) -> None:
        """Once for each reason."""
        reason = str(fields["reason"])
        if self._said.get(what) != reason:
            self._said[what] = reason
            self._observe(name, fields)
