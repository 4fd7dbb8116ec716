"""How every command ends: well, with one clear sentence, or with a trace where the fault is ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from protocols.errors import TwoPMError


def guarded(program: Callable[[], object]) -> None:
    """Runs a command line program.

    Errors made for people become a sentence each on standard error and exit status 1; Ctrl-C becomes exit status 130.
    Any other exception is a bug and keeps its trace. Exception groups, as trio's nurseries raise them, are looked into.
    """
    try:
        program()
    except (TwoPMError, KeyboardInterrupt, BaseExceptionGroup) as error:
        causes = list(_leaves(error))
        if not all(isinstance(cause, TwoPMError | KeyboardInterrupt) for cause in causes):
            raise
        sentences = dict.fromkeys(str(cause) for cause in causes if isinstance(cause, TwoPMError))
        for sentence in sentences:
            print(f"error: {sentence}", file=sys.stderr)  # noqa: T201  # this is the user interface
        sys.exit(1 if sentences else 130)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
