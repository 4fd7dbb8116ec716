"""What must hold in a world with dishonest peers, told from what was seen of it (`Witness`) and nothing else.

The rules are written anew here, apart from the code that is to keep them: counts of signatures, sets and their sizes,
the true sums of what was encrypted. Liars' signatures count wherever they might help, given or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from protocols.types import NO_DIGEST, Digest, PeerKey
from protocols.updates.pieces import blob_digest
from protocols.wire.envelope import Signed
from protocols.wire.messages import (
    PRECOMMIT,
    CellSet,
    Header,
    HeaderVote,
    Release,
    Vote,
)
from simnet.culprits import unnamed
from simnet.witness import Witness, height_of, place_of

APPLY_S: Final = 20.0
"""Seconds beyond a round's deadline in which a header that was certified at the last moment is fetched and applied."""


@dataclass(frozen=True)
class Violation:
    """A rule, and how it was broken, for people."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def check(witness: Witness) -> list[Violation]:
    """Every rule that was broken."""
    return [Violation(rule, what) for rule, checker in RULES.items() for what in checker(witness)]


def one_model(seen: Witness) -> Iterator[str]:
    """No two honest nodes ever apply different parameters at a height, nor draw different cells for it."""
    applied: dict[int, dict[str, str]] = defaultdict(dict)
    for event in seen.events:
        if event.name == "applied":
            applied[event.fields["height"]][event.node] = event.fields["params_digest"]
    for height, digests in applied.items():
        if len(set(digests.values())) > 1:
            yield f"height {height}: {digests}"


def one_list(seen: Witness) -> Iterator[str]:
    """No two lists of a round could ever be shown with t precommits of one view."""
    votes: dict[int, dict[tuple[int, Digest], set[PeerKey]]] = defaultdict(lambda: defaultdict(set))
    for signed in _honest(seen, Vote):
        vote = signed.message
        if isinstance(vote, Vote) and vote.phase == PRECOMMIT and vote.sets is not None:
            votes[height_of(signed)][vote.view, vote.sets].add(signed.signer)
    for height, backing in votes.items():
        lists = {sets for (_, sets), signers in backing.items() if _quorate(seen, height, signers)}
        if len(lists) > 1:
            yield f"height {height}: {len(lists)} lists can be certified"


def one_header(seen: Witness) -> Iterator[str]:
    """No two headers of a height could ever be shown with t signatures."""
    signers: dict[int, dict[Digest, set[PeerKey]]] = defaultdict(lambda: defaultdict(set))
    for signed in _honest(seen, HeaderVote):
        signers[height_of(signed)][signed.digest].add(signed.signer)
    for height, backing in signers.items():
        headers = [digest for digest, who in backing.items() if _quorate(seen, height, who)]
        if len(headers) > 1:
            yield f"height {height}: {len(headers)} headers can be certified"


def no_evidence(seen: Witness) -> Iterator[str]:
    """No honest peer ever signs two things of which it may sign one."""
    for peer, messages in seen.signed.items():
        said: dict[tuple[object, ...], Digest] = {}
        for signed in messages:
            place, value = place_of(signed)
            if said.setdefault(place, value) != value:
                yield f"{seen.names[peer]} signed two of {place}"


def one_set(seen: Witness) -> Iterator[str]:
    """No two sets of a cell and round could ever have t releases: two that differ by one peer show its update."""
    released: dict[tuple[int, int], dict[Digest, set[PeerKey]]] = defaultdict(lambda: defaultdict(set))
    for signed in _honest(seen, Release):
        release = signed.message
        assert isinstance(release, Release)
        released[height_of(signed), release.cell][release.cell_set].add(signed.signer)
    for (height, cell), backing in released.items():
        sets = [digest for digest, who in backing.items() if _quorate(seen, height, who)]
        if len(sets) > 1:
            yield f"height {height}, cell {cell}: {len(sets)} sets can be opened"


def big_enough(seen: Witness) -> Iterator[str]:
    """No honest member releases for a set below k_min or m - d, with a stranger in it, or one that nobody proposed."""
    for signed in _honest(seen, Release):
        release = signed.message
        assert isinstance(release, Release)
        height, found = height_of(signed), seen.sets.get(release.cell_set)
        problem = "a set that was never proposed" if found is None else _small(seen, height, found)
        if problem:
            yield f"height {height}, cell {release.cell}: {seen.names[signed.signer]} released for {problem}"


def _small(seen: Witness, height: int, found: CellSet) -> str | None:
    view = seen.view(height)
    if view is None or found.cell >= len(view.cells):
        return "a cell that there is not"
    members, chosen = set(view.cells[found.cell]), [each.contributor for each in found.contributions]
    if len(set(chosen)) != len(chosen) or not set(chosen) <= members:
        return "a set with strangers, or with somebody twice"
    roots = [seen.manifests[each.manifest][3] for each in found.contributions if each.manifest in seen.manifests]
    if len(set(roots)) != len(roots):
        return "a set in which somebody's ciphertexts stand twice"
    if len(chosen) < max(seen.params.k_min, len(members) - seen.params.dropouts):
        return f"{len(chosen)} of {len(members)}"
    return None


def nobody_honest_named(seen: Witness) -> Iterator[str]:
    """No honest node blames an honest peer, and none is excluded."""
    for event in seen.events:
        named = [event.fields["culprit"]] if event.name == "refused" else event.fields.get("peers", [])
        if event.name not in ("refused", "excluded"):
            continue
        for peer in named:
            if PeerKey(bytes.fromhex(peer)) in seen.honest:
                name = seen.names[PeerKey(bytes.fromhex(peer))]
                yield f"{event.node} at {event.at:.1f} s: {name} {event.name}: {event.fields.get('reason', '')}"


def one_sum_each(seen: Witness) -> Iterator[str]:
    """An honest contributor's update that could be opened in one sum goes into no other; a seed encrypts once."""
    for uses in seen.seeds.values():
        if len({(height, lanes) for _, height, lanes in uses}) > 1:
            yield f"{uses[0][0]} used a seed for {len(uses)} updates"
    opened: dict[tuple[PeerKey, bytes], set[tuple[int, Digest]]] = defaultdict(set)
    for height, digest in _opened_sets(seen):
        for each in seen.sets[digest].contributions if digest in seen.sets else ():
            _, _, _, root = seen.manifests.get(each.manifest, (b"", 0, 0, NO_DIGEST))
            truth = seen.truth(root)
            if each.contributor in seen.honest and truth is not None:
                opened[each.contributor, truth.tobytes()].add((height, digest))
    for (peer, _), sums in opened.items():
        if len(sums) > 1:
            yield f"{seen.names[peer]}: one update in {len(sums)} sums, heights {sorted(height for height, _ in sums)}"


def _opened_sets(seen: Witness) -> set[tuple[int, Digest]]:
    """Those that t members can open: honest releases, and whatever liars would add."""
    released: dict[tuple[int, Digest], set[PeerKey]] = defaultdict(set)
    for signed in _honest(seen, Release):
        assert isinstance(signed.message, Release)
        released[height_of(signed), signed.message.cell_set].add(signed.signer)
    return {place for place, who in released.items() if _quorate(seen, place[0], who)}


def within_bounds(seen: Witness) -> Iterator[str]:
    """Every round of every honest node ends, applied or abandoned, within its deadline; no machine fails on the way."""
    params, began = seen.params, dict[str, tuple[int, float]]()
    limit = params.submit_s + params.agree_s + params.open_s + APPLY_S
    for event in seen.events:
        if event.name == "round":
            began[event.node] = event.fields["height"], event.at
        elif event.name in ("applied", "abandoned") and event.node in began:
            height, at = began.pop(event.node)
            if event.at - at > limit:
                yield f"{event.node}: round {height} took {event.at - at:.1f} s"
        elif event.name == "unexpected" or (event.name == "failed" and "does not allow" in event.fields["reason"]):
            yield f"{event.node} at {event.at:.1f} s: {event.fields}"


def true_sums(seen: Witness) -> Iterator[str]:
    """A header that honest members sign has the true total: of what was encrypted, over the list's own sets."""
    for height, headers in seen.headers.items():
        for digest, vote in headers.items():
            signers = {peer for peer in seen.honest for each in seen.signed[peer] if each.digest == digest}
            problem = _untrue(seen, vote.header) if signers else None
            if problem:
                yield f"height {height}: {len(signers)} honest members signed a header with {problem}"


def _untrue(seen: Witness, header: Header) -> str | None:
    sets = seen.lists.get(header.sets)
    if sets is None:
        return "a list that nobody proposed"
    by_cell, total, contributors = {each.cell: each for each in sets.cells}, np.zeros(0, np.int64), 0
    for result in header.cells:
        found = by_cell[result.cell].contributions
        if not result.contributors:
            continue
        truths = [seen.truth(seen.manifests[each.manifest][3]) for each in found]
        if any(truth is None for truth in truths):
            return f"a sum of cell {result.cell} that cannot be opened"
        lanes = np.sum([truth for truth in truths if truth is not None], axis=0)
        if np.abs(lanes).max() > len(found) * seen.reach:
            return f"a sum of cell {result.cell} that its contributors could not reach"
        total = lanes if not total.size else total + lanes
        contributors += len(found)
    expected = contributors.to_bytes(4, "big") + total.astype("<i4").tobytes()
    wanted = blob_digest(expected) if contributors else NO_DIGEST
    return None if header.total == wanted else "a false total"


def _honest(seen: Witness, kind: type[object]) -> Iterator[Signed]:
    return (signed for messages in seen.signed.values() for signed in messages if isinstance(signed.message, kind))


def _quorate(seen: Witness, height: int, honest: set[PeerKey]) -> bool:
    """Whether t members could have said it: these honest ones, and every liar of the committee."""
    view = seen.view(height)
    return view is not None and len(honest.intersection(view.committee)) + seen.liars_in(view) >= seen.params.threshold


Checker = Callable[[Witness], Iterator[str]]
RULES: Final[dict[str, Checker]] = {
    "one model": one_model,
    "one list": one_list,
    "one header": one_header,
    "no evidence against the honest": no_evidence,
    "one set": one_set,
    "big enough sets": big_enough,
    "nobody honest is named": nobody_honest_named,
    "an update in one sum": one_sum_each,
    "rounds end": within_bounds,
    "true sums": true_sums,
    "culprits are named": unnamed,
}
