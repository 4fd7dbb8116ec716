"""A chain of headers over two epochs, and a ledger that they are shown to."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

from protocols.agreement.certificate import signatures
from protocols.checkpoints.machine import (
    Ledger,
    genesis,
    header_digest,
)
from protocols.effects import (
    Effects,
    Fetch,
    Head,
)
from protocols.events import (
    EpochKnown,
    Fetched,
    Received,
    Started,
    Stepped,
)
from protocols.params import Params
from protocols.rounds.epoch import EpochView
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import CellResult, Header, HeaderCertificate, HeaderVote
from tests.protocols.playbook import (
    COMMITTEE,
    PARAMS,
    PEERS,
    VALIDATOR,
    VIEW,
    a_view,
    received,
)

GENESIS = genesis(Digest(b"initial parameters".ljust(32)))
NEXT = a_view(epoch=1)
ROUND_S = PARAMS.submit_s + PARAMS.agree_s + PARAMS.open_s
RESULT = (CellResult(0, 4, NO_DIGEST, NO_DIGEST),)


def sha(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).digest())


def total(height: int) -> bytes:
    return b"the total of round %d" % height


def model(height: int) -> bytes:
    return b"the model after round %d" % height


BLOBS = {sha(blob): blob for height in range(8) for blob in (total(height), model(height))}


def a_header(height: int, parent: Digest, view: EpochView = VIEW) -> Header:
    return Header(view.slot(height), parent, sha(model(height)), NO_DIGEST, sha(total(height)), RESULT, None)


def a_chain(length: int) -> list[Header]:
    """Headers of epochs 0 and 1, each the child of the one before."""
    headers: list[Header] = []
    for height in range(length):
        view = VIEW if height in VIEW.heights else NEXT
        headers.append(a_header(height, header_digest(headers[-1]) if headers else NO_DIGEST, view))
    return headers


CHAIN = a_chain(8)


def certificate(header: Header, view: EpochView = VIEW, members: Iterable[int] = (1, 2, 3)) -> HeaderCertificate:
    signed = {member: PEERS[view.committee[member - 1]].sign(HeaderVote(header)) for member in members}
    return HeaderCertificate(header, signatures(signed, len(signed)))


def arrives(height: int, **changes: object) -> Received:
    view = VIEW if height in VIEW.heights else NEXT
    header = dataclasses.replace(CHAIN[height], **changes)  # type: ignore[arg-type]  # untyped for **kwargs
    return received(COMMITTEE[0], certificate(header, view))


def ledger(params: Params = PARAMS, head: Head = GENESIS, *views: EpochView) -> Ledger:
    machine = Ledger(params, VALIDATOR.key, 6, head)
    machine.handle(Started(), 0)
    for view in views or (VIEW,):
        machine.handle(EpochKnown(view), 0)
    return machine


def apply(machine: Ledger, height: int, now: float = 0.0) -> Effects:
    """The certificate of a child arrives, its total is fetched, the step gives its parameters."""
    (fetch,) = machine.handle(arrives(height), now)
    assert isinstance(fetch, Fetch)
    machine.handle(Fetched(fetch, (total(height),)), now)
    return machine.handle(Stepped(sha(model(height))), now)
