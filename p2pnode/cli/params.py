"""`p2pnode params explain`: what a preset's parameters reach, and why they are as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields

from rich import box
from rich.console import Console
from rich.table import Column, Table

from protocols.errors import LocalError
from protocols.params import Params
from protocols.presets import ASSUMED, CLAIMED, PRESETS, REASONS, explain, preset, require_startable
from protocols.security.claims import Finding

_WIDTH = 130


def chosen(name: str, changes: Iterable[str]) -> Params:
    """A preset's parameters with changes, each KEY=VALUE.

    Raises:
        LocalError: an unknown preset or parameter, or a value that does not fit.
    """
    params = preset(name)
    types: dict[str, type] = {field.name: type(getattr(params, field.name)) for field in fields(params)}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key not in types:
            raise LocalError(f"--param {change}: write it as KEY=VALUE, with a KEY of {', '.join(types)}")
        if types[key] is int and not value.lstrip("-").isdigit():
            raise LocalError(f"--param {change}: {key} is a whole number")
        params = params.with_(**{key: types[key](value)})
    return params


def show(name: str | None, changes: Iterable[str], *, as_json: bool) -> None:
    """Prints one preset, or all.

    Raises:
        LocalError: unknown names, or parameters that do not reach what their preset claims (after printing them).
    """
    if name is None and changes:
        raise LocalError("--param changes one preset: name it, as in `p2pnode params explain testnet --param k_min=12`")
    wanted = [chosen(each, changes) for each in ([name] if name else PRESETS)]
    if as_json:
        print(json.dumps({params.preset: _plain(params) for params in wanted}, indent=2))  # noqa: T201  # the output
    else:
        console = Console(width=_WIDTH, highlight=False)
        for params in wanted:
            _print(params, console)
    for params in wanted:
        require_startable(params)


def _plain(params: Params) -> dict[str, object]:
    assumed = {key: float(value) for key, value in asdict(ASSUMED[params.preset]).items()}
    return {
        "params": {field.name: getattr(params, field.name) for field in fields(params)},
        "digest": params.digest.hex(),
        "assumed": assumed,
        "claims": CLAIMED[params.preset] is not None,
        "findings": [asdict(finding) for finding in explain(params)],
    }


def _print(params: Params, console: Console) -> None:
    promise = "claims what is marked" if CLAIMED[params.preset] else "claims nothing among strangers"
    console.print(f"\n[bold]{params.preset}[/bold]: {promise}; digest {params.digest.hex()[:16]}")
    settings = Table("parameter", "value", "why", box=box.SIMPLE)
    for field in fields(params):
        settings.add_row(field.name, str(getattr(params, field.name)), REASONS[field.name])
    console.print(settings)
    widths = {"property": 22, "value": 24, "bits": 6, "claim": 14, "why": 36, "source": 16}
    table = Table(*(Column(name, width=width) for name, width in widths.items()), box=box.SIMPLE, leading=1)
    for finding in explain(params):
        table.add_row(*_cells(finding))
    console.print(table)
    console.print("bits: -log2 of a chance, log2 of an attack's cost, or bits to spare")


def _cells(finding: Finding) -> tuple[str, ...]:
    bits = "-" if finding.bits is None else f"{finding.bits:.1f}"
    claim = "-" if finding.claim is None else f"{finding.claim}: {'yes' if finding.holds else 'NO'}"
    return finding.name, finding.value, bits, claim, finding.why, finding.source
