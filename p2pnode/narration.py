"""What happens in a node, in words: the console's lines. JSON logs keep every field as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

Fields = Mapping[str, Any]

_HEX: Final = re.compile(r"(0x)?[0-9a-f]{40,}")
_SHOWN_HEX: Final = 8
_SHOWN_ITEMS: Final = 3
_ALWAYS: Final = ("timestamp", "level", "event", "exception", "exc_info")
"""What a line has beside an event's own fields."""


def _verdict(fields: Fields) -> str:
    word = "is right" if fields["ok"] else f"is WRONG: {fields['reason']}"
    return f"round {fields['height']}: the sum of cell {fields['cell']} by {fields['aggregator']} {word}"


def _metrics(fields: Fields) -> str:
    named = (f"{name} {value}" for name, value in sorted(fields.items()) if name not in {"height", "full", *_ALWAYS})
    return f"round {fields['height']}: " + ", ".join(named)


def _of_round(text: str) -> Callable[[Fields], str]:
    return lambda fields: f"round {fields['height']}: " + text.format_map(fields)


def _words(text: str) -> Callable[[Fields], str]:
    return text.format_map


SENTENCES: Final[dict[str, Callable[[Fields], str]]] = {
    "loading": _words("loading JAX, libp2p and the chain's client (some seconds)"),
    "stopped": _words("stopped; the operator stays registered, and its node may come back (`p2pnode operator leave`)"),
    "subnet": _words("found subnet {subnet} of registry {registry} on chain {chain_id}"),
    "starting": _words("listening at {address}; status and metrics at {metrics}; {device}"),
    "registered": _words("registered on the chain as {roles}, with a stake of {stake_wei} wei"),
    "joined": _words("joined the mesh; takes part from the next epoch on"),
    "resumed": _words("goes on from the journal, with round {height}"),
    "epoch": _words("{place}; {cells} cell(s), committee of {committee}"),
    "submitted": _of_round("our update is submitted, encrypted"),
    "aggregated": _of_round("we added up cell {cell}"),
    "opened": _of_round("the sum of cell {cell} is opened, {contributors} contributors"),
    "applied": _of_round("done after {seconds} s, parameters {params_digest}"),
    "sat-out": _of_round("we sit it out: {reason}"),
    "abandoned": _of_round("ABANDONED: {reason}"),
    "metrics": _metrics,
    "verdict": _verdict,
    "anchored": _of_round("we anchored its checkpoint on the chain"),
    "attested": _of_round("we attested its checkpoint on the chain"),
    "finished": _words("the run is over, parameters {params_digest}; seeing duties through and serving the others"),
    "run complete": _words("run complete, parameters {full[params_digest]}"),
    "unreachable": _words("peer {peer} does not answer ({kind} not sent): {reason}"),
    "chain-failed": _words("the chain does not answer, will ask again: {reason}"),
    "epoch-failed": _words("epoch {epoch} cannot begin: {reason}"),
    "refused": _words("refused ({kind}) from {culprit}: {reason}"),
    "failed": _words("{task} failed: {reason}"),
}


def narrate(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Turns an event that has a sentence into it, and shortens what people cannot read; a structlog processor."""
    event.pop("logger", None)
    told = {name: brief(value) for name, value in event.items()}
    sentence = SENTENCES.get(str(event["event"]))
    if sentence is None:
        return told
    try:
        told["event"] = sentence(_Counted(told, event))
    except KeyError:
        return told  # the same name with other fields: shown as they are
    return {name: value for name, value in told.items() if name in _ALWAYS}


class _Counted(dict[str, Any]):
    """Brief values; of a list its length; under `full` all as they are."""

    def __init__(self, told: Fields, full: Fields) -> None:
        super().__init__(told)
        self.update({name: len(value) for name, value in full.items() if isinstance(value, list)})
        self["full"] = full


def brief(value: Any) -> Any:
    """Digests and keys by their first digits, long lists by their length, numbers to four places."""
    if isinstance(value, str):
        return _HEX.sub(lambda found: found[0][: _SHOWN_HEX + 2 * found[0].startswith("0x")], value)
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [brief(item) for item in value] if len(value) <= _SHOWN_ITEMS else f"{len(value)} items"
    return value
