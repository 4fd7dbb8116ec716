"""Structured logs on standard error: lines for people, or one JSON object each; secrets never."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from p2pnode.narration import narrate
from protocols.types import Secret

REDACTED: Final = "<secret>"


def configure_logging(level: str, form: str, stream: TextIO) -> None:
    """Sends the logs of this program and of its libraries to `stream`; the libraries' only from warnings on.

    Args:
        level: debug, info, warning or error.
        form: "console" or "json".
        stream: where to.
    """
    # Plain traces: the renderer's own choice, where rich is installed, shows every frame's variables, keys included.
    render: Processor = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if form == "json":
        render = structlog.processors.JSONRenderer(default=repr)
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if form == "json" else "%H:%M:%S", utc=form == "json"),
        redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *ours, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=ours,
            processors=[ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, render]
            if form == "json"
            else [ProcessorFormatter.remove_processors_meta, narrate, render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("libp2p").propagate = True  # which its import turns off
    for package in ("p2pnode", "protocols", "simnet"):
        logging.getLogger(package).setLevel(level.upper())


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces every `Secret`, however deep, and shows other bytes in hex."""
    return {key: _shown(value) for key, value in event.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {_shown(key): _shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_shown(item) for item in value]
    return value
