import io

import pytest
import structlog

from p2pnode.logs import configure_logging
from p2pnode.narration import SENTENCES, brief, narrate

PEER = "a22e24d6576e804a0184f28e02cb29fb312730e48b22f2e46e62d14ef3364a2d"


def told(name, **fields):
    return narrate(None, "info", {"event": name, "level": "info", "logger": "p2pnode", **fields})


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        (
            "verdict",
            {"height": 5, "cell": 0, "aggregator": PEER, "chunk": None, "ok": True, "reason": ""},
            "round 5: the sum of cell 0 by a22e24d6 is right",
        ),
        (
            "verdict",
            {"height": 5, "cell": 1, "aggregator": PEER, "chunk": 2, "ok": False, "reason": "chunk 2 is not the sum"},
            "round 5: the sum of cell 1 by a22e24d6 is WRONG: chunk 2 is not the sum",
        ),
        (
            "applied",
            {"height": 44, "params_digest": PEER, "seconds": 0.602041721},
            "round 44: done after 0.602 s, parameters a22e24d6",
        ),
        ("metrics", {"height": 44, "accuracy": 0.98245614, "loss": 0.05}, "round 44: accuracy 0.9825, loss 0.05"),
        ("opened", {"height": 3, "cell": 0, "contributors": [PEER] * 9}, "round 3: the sum of cell 0 is opened, 9 "),
        (
            "epoch",
            {"epoch": 2, "cells": [[PEER]], "committee": [PEER] * 7, "place": "epoch 2: looks on"},
            "epoch 2: looks on; 1 cell(s), committee of 7",
        ),
        ("run complete", {"params_digest": PEER}, f"run complete, parameters {PEER}"),
        ("abandoned", {"height": 3, "reason": "too few contributions"}, "round 3: ABANDONED: too few contributions"),
    ],
)
def test_what_happens_is_told_in_words(name, fields, sentence):
    line = told(name, **fields)
    assert line["event"].startswith(sentence)
    assert set(line) == {"event", "level"}


def test_what_has_no_sentence_keeps_its_fields_in_brief():
    line = told("diverged", height=3, culprit=PEER, names=[PEER] * 2, others=[PEER] * 9, seconds=1.23456789)
    assert line == {
        "event": "diverged",
        "level": "info",
        "height": 3,
        "culprit": "a22e24d6",
        "names": ["a22e24d6"] * 2,
        "others": "9 items",
        "seconds": 1.235,
    }


@pytest.mark.parametrize("name", SENTENCES)
def test_an_event_with_other_fields_is_shown_as_it_is(name):
    line = told(name, strange=1)
    assert line.get("strange") == 1 or "{" not in line["event"]


def test_text_within_a_reason_is_shortened_but_addresses_are_not():
    address = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWRPrpAZFFZLRLijKkasArL5Zu3FB5AEhvYHaCC48wrae8"
    assert brief(f"operator 0x{PEER[:40]} at {address}") == f"operator 0xa22e24d6 at {address}"


@pytest.mark.parametrize(("form", "shown"), [("console", "round 1: done after 2 s"), ("json", f'"params": "{PEER}"')])
def test_the_console_has_words_and_json_all_fields(form, shown):
    stream = io.StringIO()
    configure_logging("info", form, stream)
    structlog.get_logger("p2pnode.test").info("applied", height=1, seconds=2.0, params_digest="ab" * 32, params=PEER)
    structlog.reset_defaults()
    assert shown in stream.getvalue().replace("2.0 s", "2 s")
