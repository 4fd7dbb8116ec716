"""Who sees everything in a virtual world: what was begun, sent, computed and told, kept for the checkers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from p2pnode.team import RoundContext
from protocols.agreement.certificate import list_digest
from protocols.encryption.scheme import Lanes
from protocols.errors import RemoteError
from protocols.params import Params
from protocols.rounds.contribution import Encrypted
from protocols.rounds.epoch import EpochView
from protocols.rounds.release import set_digest
from protocols.types import Digest, PeerKey
from protocols.updates.chunks import update_root
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import (
    Aggregate,
    CellSet,
    HeaderVote,
    ListCertificate,
    Manifest,
    Proposal,
    Release,
    SetList,
    Submission,
    Vote,
    slot_of,
)
from simnet.adversaries.crafted import Crafted
from simnet.adversaries.stage import Conspiracy
from simnet.events import Event
from simnet.overseen import Answer

KEPT: Final = Vote | Proposal | Release | HeaderVote | Aggregate | Manifest


@dataclass
class Witness:
    """One world, as nobody in it can see it.

    Attributes:
        names: of all peers.
        ring: the dishonest ones.
        reach: the largest integer of an honest contribution.
        views: by height and name, each honest node's view of a round.
        parents: likewise, digests of the headers from which it began the round (again).
        signed: what honest peers signed and sent, by signer.
        lists, sets: all that were proposed or certified, by digest.
        headers: all that anybody voted for, by height and digest of the vote.
        manifests: by digest: signer, height, cell and the update's root.
        truths: lanes of an update by its root; None for what spoils a sum.
        seeds: heights and lanes for which an honest contributor used a seed.
        events: of honest nodes and of simnet itself.
        answers: by height and name, what each honest node's machines were told and whom they named.
        starved: by the root of its update, the members whose dealt share is wrong.
    """

    names: Mapping[PeerKey, str]
    params: Params
    ring: Conspiracy
    reach: int = 2**15
    views: dict[int, dict[str, EpochView]] = field(default_factory=lambda: defaultdict(dict))
    parents: dict[tuple[int, str], set[Digest]] = field(default_factory=lambda: defaultdict(set))
    signed: dict[PeerKey, list[Signed]] = field(default_factory=lambda: defaultdict(list))
    lists: dict[Digest, SetList] = field(default_factory=dict)
    sets: dict[Digest, CellSet] = field(default_factory=dict)
    headers: dict[int, dict[Digest, HeaderVote]] = field(default_factory=lambda: defaultdict(dict))
    manifests: dict[Digest, tuple[PeerKey, int, int, Digest]] = field(default_factory=dict)
    truths: dict[Digest, Lanes | None] = field(default_factory=dict)
    seeds: dict[bytes, list[tuple[str, int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    events: list[Event] = field(default_factory=list)
    answers: dict[tuple[int, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))
    starved: dict[Digest, frozenset[int]] = field(default_factory=dict)
    _known: set[bytes] = field(default_factory=set)

    @property
    def honest(self) -> frozenset[PeerKey]:
        return frozenset(self.names) - self.ring.peers

    def truth(self, root: Digest) -> Lanes | None:
        """What an update adds to a sum; None if it can be added to none."""
        return self.truths.get(root, self.ring.truths.get(root))

    def liars_in(self, view: EpochView) -> int:
        """Dishonest members of a committee."""
        return len(self.ring.peers.intersection(view.committee))

    def began(self, name: str, context: RoundContext) -> None:
        """A node begins a round."""
        if context.me in self.honest:
            self.views[context.height].setdefault(name, context.view)
            self.parents[context.height, name].add(context.parent)

    def view(self, height: int) -> EpochView | None:
        """That of the first honest node that began a round."""
        return next(iter(self.views.get(height, {}).values()), None)

    def answer(self, answer: Answer) -> None:
        """An honest machine answers."""
        self.answers[answer.height, answer.node].append(answer)

    def event(self, event: Event) -> None:
        """A node (or simnet) told something."""
        if event.node not in {self.names[peer] for peer in self.ring.peers}:
            self.events.append(event)

    def job(self, name: str, arguments: tuple[Any, ...], result: object) -> None:
        """A node's worker did a job."""
        if not isinstance(result, Encrypted):
            return
        lanes, seed = arguments[5], arguments[6]
        truth = result.truth if isinstance(result, Crafted) else lanes
        root = update_root([root for root, _ in result.chunks])
        self.truths[root] = truth
        if isinstance(result, Crafted) and result.starved:
            self.starved[root] = result.starved
        if not isinstance(result, Crafted):
            self.seeds[seed.reveal()].append((name, arguments[2], np.asarray(lanes).tobytes()))

    def message(self, payload: bytes) -> None:
        """Somebody sends or publishes something; what is no message is not looked at."""
        try:
            signed = open_envelope(payload)
        except RemoteError:
            return
        if signed.signature in self._known:
            return
        self._known.add(signed.signature)
        self._learn(signed)
        if isinstance(signed.message, KEPT) and signed.signer in self.honest:
            self.signed[signed.signer].append(signed)

    def _learn(self, signed: Signed) -> None:
        match signed.message:
            case Submission(manifest=manifest):
                self.message(manifest)
            case Manifest() as manifest:
                root = update_root(manifest.chunk_roots)
                self.manifests[signed.digest] = signed.signer, int(manifest.slot.height), manifest.cell, root
            case Proposal(sets=sets) | ListCertificate(sets=sets):
                self.lists[list_digest(sets)] = sets
                self.sets.update((set_digest(each), each) for each in sets.cells)
            case HeaderVote(header=header) as vote:
                self.headers[int(header.slot.height)][signed.digest] = vote


def height_of(signed: Signed) -> int:
    """The round that a message is bound to, -1 if none."""
    slot = slot_of(signed.message)
    return -1 if slot is None else int(slot.height)


def place_of(signed: Signed) -> tuple[tuple[object, ...], Digest]:
    """Where a peer may sign one thing only, and what it signed there."""
    height, message = height_of(signed), signed.message
    match message:
        case Vote(view=view, phase=phase):
            return ("vote", height, view, phase), signed.digest
        case Proposal(view=view):
            return ("proposal", height, view), signed.digest
        case Release(cell=cell, cell_set=cell_set):
            return ("release", height, cell), cell_set
        case Aggregate(cell=cell):
            return ("aggregate", height, cell), signed.digest
        case HeaderVote():
            return ("header", height), signed.digest
        case Manifest():
            return ("manifest", height), signed.digest
    raise AssertionError(f"{type(message).__name__} is not kept")
