"""The machines that one node runs for one round."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from protocols.agreement.machine import Agreement
from protocols.effects import Journal
from protocols.encryption.scheme import Scheme
from protocols.encryption.sealing import EpochKeyPair
from protocols.machine import Machine
from protocols.rounds.aggregation import Aggregation
from protocols.rounds.conclusion import Conclusion
from protocols.rounds.contribution import NO_TAG_KEY, Contribution
from protocols.rounds.custody import Custody
from protocols.rounds.epoch import EpochView
from protocols.rounds.opening import CellOpening
from protocols.rounds.release import ReleaseRule, WrongShares
from protocols.rounds.seen import SeenDealings
from protocols.types import NO_DIGEST, Digest, Height, PeerKey, Secret
from protocols.updates.gossip import PROOF, SUBNET
from protocols.updates.schema import UpdateSchema
from protocols.verification.audit import Audit
from protocols.verification.proofs import Statements
from protocols.verification.prosecution import Prosecution
from protocols.wire.envelope import Signer
from protocols.wire.messages import NO_SUSPECTS, Suspects


@dataclass(frozen=True)
class RoundContext:
    """All that a round's machines are made of.

    Attributes:
        parent: digest of the header that the round starts from.
        keys: the committee's share-encryption keys as known when asked.
        epoch_key: this node's own, if it sits in the committee.
        entropy: 32 fresh secret bytes a call.
        journal: this height's records, from before a crash or an abandoned try.
        contributes: whether this node has data.
        spent, tag_key: see `Contribution`.
        seen: see `Custody`.
        announce: see `Agreement`.
        wrong: see `CellOpening`.
        model, suspects: see `Conclusion`.
        statements: signs what the operator answers for with its stake.
    """

    view: EpochView
    height: Height
    parent: Digest
    me: PeerKey
    sign: Signer
    scheme: Scheme
    schema: UpdateSchema
    keys: Callable[[], Mapping[int, bytes]]
    epoch_key: EpochKeyPair | None
    rule: ReleaseRule
    entropy: Callable[[], bytes]
    journal: tuple[Journal, ...]
    contributes: bool
    spent: Collection[bytes] = ()
    tag_key: Secret = NO_TAG_KEY
    seen: SeenDealings = field(default_factory=SeenDealings)
    announce: bool = False
    wrong: WrongShares = field(default_factory=WrongShares)
    model: Digest = NO_DIGEST
    suspects: Suspects = NO_SUSPECTS
    statements: Statements | None = None

    @property
    def chunks(self) -> int:
        """Ciphertexts of one update."""
        return self.schema.layout.ciphertexts


AnyMachine = Machine[Any]
MachineFactory = Callable[[RoundContext], list[AnyMachine]]


def default_machines(context: RoundContext) -> list[AnyMachine]:
    """What an honest peer runs, by its place in the epoch."""
    view, me = context.view, context.me
    machines: list[AnyMachine] = [
        Agreement(view, context.height, me, context.sign, SUBNET, context.journal, context.announce),
    ]
    if me in view.committee:
        machines += _member(context)
    cell = view.cell_of(me)
    if cell is not None and me in view.duties(context.height, cell, context.chunks):
        machines.append(aggregation(context))
    if cell is not None and context.contributes:
        machines.append(_contribution(context))
    if me in view.validators:
        machines += [_audit(context), Prosecution(view, context.height, context.scheme)]
    return machines


def aggregation(context: RoundContext) -> Aggregation:
    """An honest aggregator's machine."""
    return Aggregation(
        context.view,
        context.height,
        context.parent,
        context.me,
        context.sign,
        context.scheme,
        context.chunks,
        PROOF,
        context.statements,
    )


def _member(context: RoundContext) -> list[AnyMachine]:
    view, height, parent = context.view, context.height, context.parent
    custody = Custody(
        view,
        height,
        parent,
        context.me,
        context.sign,
        context.scheme,
        context.chunks,
        context.epoch_key,
        context.rule,
        context.seen,
        context.journal,
    )
    openings = [
        CellOpening(view, height, parent, cell, context.scheme, context.schema, context.chunks, context.wrong)
        for cell in range(len(view.cells))
    ]
    conclusion = Conclusion(
        view,
        height,
        parent,
        context.me,
        context.sign,
        SUBNET,
        context.journal,
        context.schema.privacy,
        context.model,
        context.suspects,
    )
    return [custody, *openings, conclusion]


def _audit(context: RoundContext) -> Audit:
    schema = context.schema
    return Audit(
        context.view,
        context.height,
        context.scheme,
        context.chunks,
        schema.layout,
        schema.privacy,
        context.suspects,
        context.statements,
    )


def _contribution(context: RoundContext) -> Contribution:
    return Contribution(
        context.view,
        context.height,
        context.parent,
        context.me,
        context.sign,
        context.scheme,
        context.keys,
        context.entropy(),
        context.journal,
        context.spent,
        context.tag_key,
        context.schema.layout,
    )
