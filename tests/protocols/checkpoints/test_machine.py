from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.checkpoints.machine import (
    KIND,
    RETRY_S,
    UNCHECKED_MAX,
    Ledger,
    State,
    header_digest,
    restore,
)
from protocols.effects import (
    Adopt,
    AskHeads,
    BeginRound,
    Differ,
    Fetch,
    Head,
    Journal,
    NeedEpoch,
    SetTimer,
    Step,
)
from protocols.events import (
    EpochKnown,
    Fetched,
    FetchFailed,
    Started,
    StepFailed,
    Stepped,
    TimerFired,
)
from protocols.types import NO_DIGEST, Digest, Height
from protocols.wire import codec
from protocols.wire.messages import Excluded, Header, HeaderCertificate, Suspects
from tests.protocols.checkpoints.scene import (
    CHAIN,
    GENESIS,
    NEXT,
    ROUND_S,
    a_header,
    apply,
    arrives,
    certificate,
    ledger,
    model,
    sha,
    total,
)
from tests.protocols.playbook import (
    PARAMS,
    STRANGER,
    VALIDATOR,
    VIEW,
    blamed,
    observed,
    of,
    received,
)

# ------------------------------------------------------------------------------------------------------- beginning


def test_it_asks_around_waits_for_its_epoch_and_begins() -> None:
    machine = Ledger(PARAMS, VALIDATOR.key, 6, GENESIS)
    assert machine.handle(Started(), 0) == [AskHeads(), NeedEpoch(0)]
    assert machine.handle(EpochKnown(NEXT), 1.0) == [NeedEpoch(0)], "another one does not help"
    assert machine.handle(EpochKnown(VIEW), 2.0) == [BeginRound(Height(0), GENESIS), SetTimer("round", 2.0 + ROUND_S)]
    assert machine.state is State.RUNNING


# ----------------------------------------------------------------------------------------------- applying a child


def test_a_certified_child_is_applied_by_our_own_step() -> None:
    machine = ledger()
    (fetch,) = machine.handle(arrives(0), 0)
    assert isinstance(fetch, Fetch)
    assert (fetch.purpose, fetch.digests, fetch.max_bytes) == ("total", (sha(total(0)),), 4 + 4 * 6)
    assert set(fetch.holders) == set(VIEW.committee[:3]), "who signed has it"
    assert machine.handle(Fetched(fetch, (total(0),)), 0) == [Step(NO_DIGEST, total(0))]
    effects = machine.handle(Stepped(sha(model(0))), 9.0)
    head = Head(1, header_digest(CHAIN[0]), sha(model(0)), certificate(CHAIN[0]))
    assert effects[:2] == [Adopt(head, None), Journal(KIND, Height(0), b"", codec.encode(certificate(CHAIN[0])))]
    assert effects[-2:] == [BeginRound(Height(1), head), SetTimer("round", 9.0 + ROUND_S)]
    assert machine.head == head


def test_one_after_the_other_across_an_epoch() -> None:
    machine = ledger(PARAMS, GENESIS, NEXT, VIEW)
    for height in range(7):
        assert of(apply(machine, height), Adopt)[0].head.next_height == height + 1
    assert machine.height == 7


def test_at_an_epochs_border_it_waits_for_the_chain() -> None:
    machine = ledger()
    for height in range(4):
        apply(machine, height)
    assert apply(machine, 4)[-1] == NeedEpoch(1)
    assert machine.state is State.WAITING
    assert of(machine.handle(EpochKnown(NEXT), 0), BeginRound)[0].height == 5


def test_a_total_that_is_not_the_headers_is_asked_for_again_elsewhere() -> None:
    machine = ledger()
    (fetch,) = of(machine.handle(arrives(0), 0), Fetch)
    assert machine.handle(Fetched(fetch, (total(1),)), 5.0) == [SetTimer("retry", 5.0 + RETRY_S)]
    orders = {fetch.holders}
    for _ in range(2):
        (fetch,) = of(machine.handle(TimerFired("retry"), 6.0), Fetch)
        assert fetch.purpose == "total"
        orders.add(fetch.holders)
        machine.handle(FetchFailed(fetch), 6.0)
    assert len(orders) > 1, "not always from the same one"
    asked, fetch = machine.handle(TimerFired("retry"), 7.0)
    assert isinstance(fetch, Fetch)
    assert (asked, fetch.purpose) == (AskHeads(), "model"), "if nobody has the total, the model will do"


@pytest.mark.parametrize("answer", [Stepped(sha(b"other")), StepFailed("singular")])
def test_where_our_step_gives_something_else_the_certified_model_is_taken(answer: Stepped | StepFailed) -> None:
    machine = ledger()
    (fetch,) = of(machine.handle(arrives(0), 0), Fetch)
    machine.handle(Fetched(fetch, (total(0),)), 0)
    effects = machine.handle(answer, 0)
    assert observed(effects, "diverged")
    found = [] if isinstance(answer, StepFailed) else [Differ(CHAIN[0], "step")]
    assert of(effects, Differ) == found, "a machine that fails has found nothing"
    (fetch,) = of(effects, Fetch)
    assert (fetch.purpose, fetch.digests) == ("model", (sha(model(0)),))
    assert of(machine.handle(Fetched(fetch, (model(0),)), 0), Adopt)[0].model == model(0)


# ------------------------------------------------------------------------------------------------------ catching up


def test_if_the_parent_is_missing_the_whole_model_is_loaded() -> None:
    machine = ledger()
    (fetch,) = machine.handle(arrives(3), 0)
    assert isinstance(fetch, Fetch)
    assert (fetch.purpose, fetch.digests) == ("model", (sha(model(3)),))
    effects = machine.handle(Fetched(fetch, (model(3),)), 0)
    assert of(effects, Adopt) == [Adopt(machine.head, model(3))]
    assert of(effects, BeginRound)[0].height == machine.height == 4


@pytest.mark.parametrize("blob", [b"", model(2), model(3) + b"\0"])
def test_a_model_that_is_not_the_certified_one_is_not_taken(blob: bytes) -> None:
    machine = ledger()
    (fetch,) = of(machine.handle(arrives(3), 0), Fetch)
    assert machine.handle(Fetched(fetch, (blob,)), 0) == [SetTimer("retry", RETRY_S)]
    assert machine.head == GENESIS
    again = machine.handle(TimerFired("retry"), 1.0)
    assert [type(effect) for effect in again] == [AskHeads, Fetch]


def test_a_newer_header_that_comes_while_one_is_applied_is_next() -> None:
    machine = ledger()
    (fetch,) = of(machine.handle(arrives(0), 0), Fetch)
    assert machine.handle(arrives(3), 0) == []
    assert machine.handle(Fetched(fetch, (total(0),)), 0) == [SetTimer("retry", RETRY_S)]
    (fetch,) = of(machine.handle(TimerFired("retry"), 1), Fetch)
    assert fetch.digests == (sha(model(3)),)
    machine.handle(Fetched(fetch, (model(3),)), 1)
    assert machine.height == 4


def test_even_while_the_step_towards_the_one_before_is_taken() -> None:
    machine = ledger()
    (fetch,) = of(machine.handle(arrives(0), 0), Fetch)
    machine.handle(Fetched(fetch, (total(0),)), 0)
    machine.handle(arrives(3), 0)
    effects = machine.handle(Stepped(sha(model(0))), 0)
    assert observed(effects, "diverged") == []
    assert [fetch.digests for fetch in of(effects, Fetch)] == [(sha(model(3)),)]


def test_a_header_of_an_epoch_that_is_not_settled_here_waits_for_it() -> None:
    machine = ledger()
    assert machine.handle(arrives(6), 0) == [NeedEpoch(1)]
    assert machine.state is State.RUNNING
    (fetch,) = of(machine.handle(EpochKnown(NEXT), 0), Fetch)
    assert fetch.digests == (sha(model(6)),)


def test_of_unknown_epochs_only_so_many_are_kept() -> None:
    """Anybody can write a header of any epoch; neither memory nor the chain's patience is without end."""
    machine = ledger()
    asked = []
    for epoch in range(1, 3 * UNCHECKED_MAX):
        far = a_header(5 * epoch, NO_DIGEST, dataclasses.replace(VIEW, epoch=epoch))
        asked += machine.handle(received(STRANGER, certificate(far)), 0)
    assert asked == [NeedEpoch(epoch) for epoch in range(1, UNCHECKED_MAX + 1)]


# ------------------------------------------------------------------------------------------------------- refusing


@pytest.mark.parametrize(
    "forged",
    [
        certificate(CHAIN[0], members=(1, 2)),
        dataclasses.replace(certificate(CHAIN[0]), header=dataclasses.replace(CHAIN[0], params_digest=NO_DIGEST)),
        certificate(dataclasses.replace(CHAIN[0], slot=dataclasses.replace(CHAIN[0].slot, committee_root=NO_DIGEST))),
    ],
    ids=["t-1", "changed", "elsewhere"],
)
def test_what_is_not_certified_is_blamed_and_changes_nothing(forged: HeaderCertificate) -> None:
    machine = ledger()
    effects = machine.handle(received(STRANGER, forged), 0)
    assert "header refused" in blamed(effects)[STRANGER.key]
    assert len(effects) == 1
    assert machine.state is State.RUNNING


def test_what_is_old_or_of_no_epochs_height_is_passed_over() -> None:
    machine = ledger()
    apply(machine, 0)
    apply(machine, 1)
    wrong_epoch = dataclasses.replace(CHAIN[2], slot=dataclasses.replace(CHAIN[2].slot, epoch=3))
    for event in (arrives(0), arrives(1), received(STRANGER, certificate(wrong_epoch))):
        assert machine.handle(event, 0) == []


# -------------------------------------------------------------------------------------------------------- restarting


def test_the_journal_brings_the_head_back() -> None:
    machine = ledger()
    journal = [record for height in range(3) for record in of(apply(machine, height), Journal)]
    other = Journal("vote", Height(3), b"", bytes(32))
    assert restore((*journal, other), GENESIS) == machine.head
    assert restore((), GENESIS) == restore((other,), GENESIS) == GENESIS
    again = ledger(PARAMS, machine.head)
    assert again.height == 3
    assert of(apply(again, 3), Adopt)


def test_a_header_has_one_digest_and_every_field_counts() -> None:
    changes = {
        "slot": VIEW.slot(1),
        "parent": Digest(b"x" * 32),
        "params_digest": NO_DIGEST,
        "sets": Digest(b"x" * 32),
        "total": NO_DIGEST,
        "cells": (),
        "epsilon_micro": 7,
        "suspects": Suspects((), (Excluded(VALIDATOR.key, 3),)),
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Header)}
    others = {header_digest(dataclasses.replace(CHAIN[0], **{name: value})) for name, value in changes.items()}  # type: ignore[arg-type]  # untyped for **kwargs
    assert len({header_digest(CHAIN[0]), *others}) == 1 + len(changes)


def test_where_no_cell_counted_the_parameters_stay_and_nothing_is_fetched() -> None:
    machine = ledger()
    effects = machine.handle(arrives(0, total=NO_DIGEST, params_digest=GENESIS.params), 0)
    assert of(effects, Fetch) == []
    assert of(effects, Adopt)[0].model is None
    assert machine.head.params == GENESIS.params
    assert machine.height == 1


def test_where_no_cell_counted_but_the_parameters_moved_the_model_is_fetched() -> None:
    effects = ledger().handle(arrives(0, total=NO_DIGEST), 0)
    assert observed(effects, "diverged")
    assert [each.part for each in of(effects, Differ)] == ["step"]
    assert [fetch.purpose for fetch in of(effects, Fetch)] == ["model"]


@given(st.lists(st.sampled_from([*range(8), "abandon", "retry"]), max_size=12))
def test_whatever_arrives_the_head_never_goes_back_and_is_always_certified(events: list[int | str]) -> None:
    machine = ledger(PARAMS, GENESIS, NEXT, VIEW)
    best = machine.head.next_height
    for event in events:
        timer = {"abandon": TimerFired("round"), "retry": TimerFired("retry")}
        effects = machine.handle(timer[event] if isinstance(event, str) else arrives(event), 0)
        for fetch in of(effects, Fetch):
            blob = next(
                blob for height in range(8) for blob in (total(height), model(height)) if sha(blob) in fetch.digests
            )
            for step in of(machine.handle(Fetched(fetch, (blob,)), 0), Step):
                machine.handle(Stepped(sha(step.total.replace(b"total of", b"model after"))), 0)
        assert machine.head.next_height >= best
        assert machine.height >= machine.head.next_height
        best = machine.head.next_height
    assert best == max([event + 1 for event in events if isinstance(event, int)], default=0)
