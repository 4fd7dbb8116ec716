"""Bindings of what disputes are played and decided by: the dispute game and the verifier of its last steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from contracts.abi import interface
from contracts.bindings import Checkpoint, Contract, Transaction, View, checkpoint_key


class Phase(IntEnum):
    """Whose turn it is, and for what; see IDisputeGame.sol."""

    NONE = 0
    COMMIT = 1
    REVEAL = 2
    ANSWER = 3
    PROVE = 4
    RESOLVED = 5


class Outcome(IntEnum):
    """What became of a game: upheld is the challenge, refuted too; void has no loser.

    Unproven is a game whose last step nobody proved, and was not the defender's to prove: it costs half the bond.
    """

    OPEN = 0
    UPHELD = 1
    REFUTED = 2
    VOID = 3
    UNPROVEN = 4


@dataclass(frozen=True, slots=True)
class GameRules:
    """See `Rules` in IDisputeGame.sol; times in seconds, the share of 10^18."""

    bond_wei: int
    clock_s: int
    extension_s: int
    prove_s: int
    payout_s: int
    false_share: int


@dataclass(frozen=True, slots=True)
class Game:
    """See IDisputeGame.sol."""

    subnet_id: int
    key: bytes
    challenger: bytes
    since: int
    defender_seconds: int
    phase: int
    outcome: int
    released: bool
    defender: bytes
    challenger_seconds: int
    low: int
    high: int
    verifier: bytes
    steps: int
    height: int
    bond: int
    forfeited: int
    trace: bytes
    low_state: bytes
    high_state: bytes
    middle: bytes

    @property
    def task(self) -> bytes:
        """What a step of this game is stated of."""
        return keccak(encode(["bytes32", "uint32", "bytes32"], (self.key, self.steps, self.trace)))

    @property
    def middle_step(self) -> int:
        """The step whose state is to be shown, or was shown last."""
        return (self.low + self.high) // 2


class DisputeGame(Contract):
    """See contracts/src/interfaces/IDisputeGame.sol."""

    @staticmethod
    def deployment(
        subnets: bytes, slashing: bytes, verifier: bytes, treasury: bytes, rules: GameRules, authority: bytes
    ) -> Transaction:
        terms = subnets, slashing, verifier, treasury, astuple(rules), authority
        return Transaction(b"", interface("DisputeGame").deployment(*terms))

    def challenge(self, subnet_id: int, key: bytes, bond: int) -> Transaction:
        return self._send("challenge", subnet_id, key, value=bond)

    def commit(self, game: int, checkpoint: Checkpoint, steps: int, trace: bytes) -> Transaction:
        return self._send("commit", game, astuple(checkpoint), steps, trace)

    def reveal(self, game: int, state: bytes, path: Sequence[bytes]) -> Transaction:
        return self._send("reveal", game, state, list(path))

    def answer(self, game: int, *, agreed: bool) -> Transaction:
        return self._send("answer", game, agreed)

    def prove(self, game: int, proof: bytes) -> Transaction:
        return self._send("prove", game, proof)

    def timeout(self, game: int) -> Transaction:
        return self._send("timeout", game)

    def drop(self, game: int) -> Transaction:
        return self._send("drop", game)

    def annul(self, game: int) -> Transaction:
        return self._send("annul", game)

    def release(self, game: int) -> Transaction:
        return self._send("release", game)

    def withdraw(self, account: bytes) -> Transaction:
        return self._send("withdraw", account)

    def set_verifier(self, subnet_id: int, verifier: bytes) -> Transaction:
        return self._send("setVerifier", subnet_id, verifier)

    def game_of(self, game: int) -> View[Game]:
        return self._ask(lambda values: Game(*values), "gameOf", game)

    def game_count(self) -> View[int]:
        return self._ask(_int, "gameCount")

    def owed_to(self, account: bytes) -> View[int]:
        return self._ask(_int, "owedTo", account)

    def ends_at(self, game: int) -> View[int]:
        return self._ask(_int, "endsAt", game)

    def bond_wei(self) -> View[int]:
        """What a challenge takes."""
        return self._ask(_int, "BOND_WEI")

    def payout_s(self) -> View[int]:
        """For how long after its end a game does not pay."""
        return self._ask(_int, "PAYOUT_SECONDS")

    def longest(self) -> View[int]:
        return self._ask(_int, "longest")


class QuorumStep(Contract):
    """See contracts/src/interfaces/IQuorumStep.sol."""

    @staticmethod
    def deployment(subnets: bytes) -> Transaction:
        return Transaction(b"", interface("QuorumStep").deployment(subnets))


def ends(subnet_id: int, checkpoint: Checkpoint) -> tuple[bytes, bytes]:
    """The states with which a checkpoint's computation begins and ends, where validators decide steps."""
    begins = encode(
        ["string", "uint256", "bytes32", "bytes32"], ("first state", subnet_id, checkpoint.parent, checkpoint.header)
    )
    return keccak(begins), keccak(encode(["string", "bytes32"], ("last state", checkpoint.params_digest)))


def state_leaf(step: int, state: bytes) -> bytes:
    """What is hashed (SHA-256) to leaf `step - 1` of a trace; the tree over these hashes is `protocols.merkle`'s."""
    return b"\0" + step.to_bytes(4, "big") + state


def step_place(number: int, game: Game) -> int:
    """The place of a statement of the step that is left of a game."""
    return number << 32 | game.low


def quorum_proof(epoch: int, result: bytes, table: Sequence[int], signers: int, signatures: bytes) -> bytes:
    """What validators state of a step, as QuorumStep.sol reads it."""
    kinds = "(uint64,bytes32,uint256[],uint256,bytes)"
    return encode([kinds], [(epoch, result, list(table), signers, signatures)])


def is_of(game: Game, checkpoint: Checkpoint) -> bool:
    """Whether a game is about this checkpoint."""
    return game.key == checkpoint_key(game.subnet_id, checkpoint)


def _int(value: int) -> int:
    return value
