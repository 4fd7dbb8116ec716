"""Who must have been named, by whom and for what: each honest machine that was told what shows a fault names it.

Only what was told counts, not what was done: a lie that came too late, or was lost, need not be seen by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from protocols.effects import Blame
from protocols.encryption.packing import pack_share
from protocols.errors import RemoteError
from protocols.events import JobDone, Received
from protocols.rounds.dealing import sealed_digest
from protocols.types import Digest, PeerKey
from protocols.updates.chunks import update_root
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import Aggregate, Dispute, HeaderVote, Manifest, Proposal, Release, Submission, Vote
from simnet.overseen import Answer
from simnet.witness import Witness, place_of

TWICE: Final[dict[str, tuple[str, ...]]] = {
    "vote": ("votes twice", "proposes twice", "prevotes another list", "no member may cast"),
    "proposal": (
        "proposes twice",
        "votes twice",
        "out of its turn",
        "no member may vote for",
        "without a reason",
        "prevotes another list",
    ),
    "release": ("for two sets",),
    "aggregate": ("announced two sums", "no aggregator", "other stripes", "another list"),
    "header": ("signs two headers",),
    "manifest": ("two manifests", "submission refused"),
}
"""What a peer that signed two of these is named for: one machine names it once a round, or for what else is wrong."""
BAD_DEALING: Final = ("dealt member", "dealing refused", "two manifests", "submission refused")
FALSE_DISPUTE: Final = ("disputes", "dealt member")
"""Or it disputed what it had dealt itself, and is heard no more in this round."""
WRONG_SHARE: Final = ("released a wrong share",)
WRONG_SUM: Final = ("is not the sum", *TWICE["aggregate"])


def unnamed(seen: Witness) -> Iterator[str]:
    """Every fault that an honest machine was shown and did not name."""
    added = _judged(seen)
    for (height, node), answers in seen.answers.items():
        blames = [blame for each in answers for blame in each.blamed]
        judged = {cell for name, at, cell in added if (name, at) == (node, height)}
        for culprit, fault, words in (*_twice(answers), *_single(seen, answers), *_wrong_sums(seen, answers, judged)):
            if culprit not in seen.honest and not _named(blames, culprit, words):
                yield f"height {height}: {node} did not name {seen.names[culprit]} for {fault}"


Fault = tuple[PeerKey, str, tuple[str, ...]]


def _named(blames: Iterable[Blame], culprit: PeerKey, words: tuple[str, ...]) -> bool:
    return any(each.culprit == culprit and any(word in each.reason for word in words) for each in blames)


def _twice(answers: Iterable[Answer]) -> Iterator[Fault]:
    """Two signed messages where a peer may sign one, told to one machine, in whatever state."""
    first: dict[tuple[object, ...], Digest] = {}
    for answer in answers:
        signed = _spoken(answer)
        if signed is None:
            continue
        place, value = place_of(signed)
        if first.setdefault((answer.machine, signed.signer, *place), value) != value:
            yield signed.signer, f"two of {place}", TWICE[str(place[0])]


def _spoken(answer: Answer) -> Signed | None:
    """The message of which a peer may sign one, if that is what the machine was told."""
    event = answer.event
    if not isinstance(event, Received):
        return None
    if isinstance(event.message, Submission):
        return _opened(event.message, event.sender)
    return event.signed if isinstance(event.message, Vote | Proposal | Release | Aggregate | HeaderVote) else None


def _opened(submission: Submission, sender: PeerKey) -> Signed | None:
    """A submission's manifest, if it is the sender's own."""
    try:
        signed = open_envelope(submission.manifest)
    except RemoteError:
        return None
    return signed if isinstance(signed.message, Manifest) and signed.signer == sender else None


def _single(seen: Witness, answers: Iterable[Answer]) -> Iterator[Fault]:
    """What is false in itself."""
    for answer in answers:
        event = answer.event
        if isinstance(event, JobDone) and event.job.purpose == "open":
            yield from _wrong_shares(seen, answer, event)
        elif isinstance(event, Received) and answer.machine == "Custody":
            if isinstance(event.message, Submission) and _starves(seen, answer, event.message, event.sender):
                yield event.sender, "a bad dealing", BAD_DEALING
            elif isinstance(event.message, Dispute) and seen.ring.has_done(
                "false-dispute", event.sender, event.signed.digest
            ):
                yield event.sender, "a false dispute", FALSE_DISPUTE


def _wrong_shares(seen: Witness, answer: Answer, event: JobDone) -> Iterator[Fault]:
    """Wrong shares among those of which a sum was opened. That they are is certain with t right ones beside them."""
    view = seen.view(answer.height)
    assert view is not None
    shares = {view.committee[member - 1]: pack_share(share) for member, share in event.job.arguments[4].items()}
    if len(seen.honest & shares.keys()) >= view.params.threshold:
        for member, share in shares.items():
            if seen.ring.has_done("wrong-share", member, share):
                yield member, "a wrong share", WRONG_SHARE


def _starves(seen: Witness, answer: Answer, submission: Submission, dealer: PeerKey) -> bool:
    """Whether this member was sent the very share that it was dealt, and it is wrong.

    In a manifest that was trained from another head than its own the member opens nothing, since it uses nothing; nor
    does it once it has released its share of the round's sums.
    """
    if answer.state == "RELEASED":
        return False
    signed, view = _opened(submission, dealer), seen.view(answer.height)
    if signed is None or view is None or not isinstance(signed.message, Manifest) or not submission.sealed:
        return False
    manifest, member = signed.message, view.member_index(answer.me)
    if manifest.parent not in seen.parents[answer.height, answer.node]:
        return False
    if member is None or member not in seen.starved.get(update_root(manifest.chunk_roots), frozenset()):
        return False
    return manifest.shares[member - 1 : member] == (sealed_digest(submission.sealed),)


def _wrong_sums(seen: Witness, answers: Iterable[Answer], judged: set[int]) -> Iterator[Fault]:
    """Wrong sums of cells that this validator added; of each aggregator the first, which is the one that is kept."""
    first: set[tuple[PeerKey, int]] = set()
    for answer in answers:
        event = answer.event
        if answer.machine != "Audit" or not isinstance(event, Received) or not isinstance(event.message, Aggregate):
            continue
        aggregate, place = event.message, (event.sender, event.message.cell)
        wrong = any(seen.ring.has_done("wrong-sum", event.sender, root) for root in aggregate.chunk_roots)
        if wrong and place not in first and aggregate.cell in judged:
            yield event.sender, "a wrong sum", WRONG_SUM
        first.add(place)


def _judged(seen: Witness) -> set[tuple[str, int, int]]:
    """Node, height and cell of the sums that a validator added, and compared with an announced one."""
    return {
        (event.node, event.fields["height"], event.fields["cell"])
        for event in seen.events
        if event.name == "verdict" and (event.fields["ok"] or event.fields["chunk"] is not None)
    }
