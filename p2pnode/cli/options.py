"""Settings as flags of a command, made from the settings' own names and descriptions."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from p2pnode.identity import Identity, load_identity
from p2pnode.logs import configure_logging
from p2pnode.passphrase import read_passphrase
from p2pnode.settings import ENV_PREFIX, FILE_NAME, NodeSettings, load_settings

Command = Callable[..., None]

_CONFIG = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help=f"The settings file; if not given, {FILE_NAME} in the folder."),
]


def with_settings(*names: str) -> Callable[[Command], Callable[..., None]]:
    """Turns a command that takes settings into one with --config and a flag for each of `names` (none: for all).

    What else the command takes stays as it is.
    """
    fields = {name: NodeSettings.model_fields[name] for name in names} or NodeSettings.model_fields
    parameters = [
        _flag("config", _CONFIG),
        *(
            # Text, whatever the type: one place checks values, wherever they come from.
            _flag(name, Annotated[str | None, typer.Option(help=field.description, metavar="VALUE")])
            for name, field in fields.items()
        ),
    ]

    def decorate(command: Command) -> Callable[..., None]:
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        ]

        @wraps(command)
        def wrapper(config: Path | None, **flags: Any) -> None:
            rest = {parameter.name: flags.pop(parameter.name) for parameter in own}
            command(load_settings(config or _file_in(flags["folder"]), flags), **rest)

        wrapper.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]  # what typer reads
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *own]}
        return wrapper

    return decorate


def unlocked(settings: NodeSettings) -> Identity:
    """The node's keys, opened by the passphrase; from here on it logs as the settings say.

    Raises:
        LocalError: no keys, no passphrase, or a wrong one.
    """
    configure_logging(settings.log_level, settings.log_format, sys.stderr)
    return load_identity(settings.folder, read_passphrase(settings.passphrase_file, asking()))


def asking(*, twice: bool = False) -> Callable[[], str] | None:
    """Asks the person at the terminal for the passphrase; None if nobody is there."""
    if not sys.stdin.isatty():
        return None

    def ask() -> str:
        answer: str = typer.prompt("Passphrase of the keys", hide_input=True, confirmation_prompt=twice, err=True)
        return answer

    return ask


def _file_in(folder: str | None) -> Path | None:
    file = Path(folder or os.environ.get(f"{ENV_PREFIX}FOLDER", "."), FILE_NAME)
    return file if file.exists() else None


def _flag(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
