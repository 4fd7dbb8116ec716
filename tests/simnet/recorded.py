"""A small recorded run, as the nodes' observers tell it: 3 peers, two rounds applied, one abandoned between them."""

from __future__ import annotations

from simnet.events import Event

PEERS = {"peer-00": "aa" * 32, "peer-01": "bb" * 32, "peer-02": "cc" * 32}
A, B, C = PEERS.values()


def recorded() -> list[Event]:
    return [
        *(Event(0.5, node, "joined", {"peer": key, "roles": 3}) for node, key in PEERS.items()),
        Event(1, "peer-00", "epoch", {"epoch": 0, "cells": [[A, B, C]], "committee": [A, B, C]}),
        *_round(0, 2.0, [A, B], "d0" * 32, {"accuracy": 0.5, "loss": 1.5}),
        Event(3, "simnet", "fault", {"kind": "silent", "peers": ["peer-02"]}),
        Event(5, "peer-00", "abandoned", {"height": 1, "reason": "fewer than 2 contributors"}),
        *_round(2, 8.0, [A, B, C], "d2" * 32, {"accuracy": 0.75, "loss": 0.5}),
        Event(9, "peer-00", "refused", {"kind": "bad-signature", "culprit": C}),
        *(Event(9, node, "finished", {"height": 2, "params_digest": "d2" * 32}) for node in PEERS),
    ]


def _round(height: int, at: float, contributors: list[str], digest: str, metrics: dict[str, float]) -> list[Event]:
    verdict = {"height": height, "cell": 0, "aggregator": A, "chunk": 0, "ok": True, "reason": ""}
    events = []
    for node in PEERS:
        events += [
            Event(at, node, "phase", {"height": height, "phase": "train", "seconds": 0.25}),
            Event(at, node, "round", {"height": height, "epoch": 0}),
            Event(at, node, "opened", {"height": height, "cell": 0, "contributors": contributors}),
            Event(at, node, "phase", {"height": height, "phase": "open", "seconds": 0.75}),
            Event(at, node, "applied", {"height": height, "params_digest": digest, "seconds": 1.0}),
            Event(at, node, "bytes", {"sent": 1000 * (height + 1), "by_kind": {"chunk": 900 * (height + 1)}}),
        ]
    return [
        *events,
        Event(at, "peer-00", "metrics", {"height": height, **metrics}),
        Event(at, "simnet", "checkpoint", {"height": height, "header": digest, "final": False}),
        Event(at, "validator-0", "verdict", verdict),
        Event(at, "validator-0", "attested", {"height": height}),
        Event(at, "simnet", "checkpoint", {"height": height, "header": digest, "final": True}),
    ]
