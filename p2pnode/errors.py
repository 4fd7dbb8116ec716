"""Errors of the node's adapters; all are `protocols.errors.TwoPMError`, so that the CLI prints them as one sentence."""

from __future__ import annotations

from protocols.errors import LocalError, TwoPMError


class Unreachable(TwoPMError):  # noqa: N818  # a state of the network rather than anybody's error
    """A peer did not answer within the limits; nobody's provable fault."""


class ChainError(TwoPMError):
    """The chain refused or could not be reached; the text carries the decoded reason."""


class NoCourtError(ChainError):
    """Nobody told this node where the court stands."""


class SettingsError(LocalError):
    """A setting, flag or environment variable is wrong; the text names it."""


class DataError(LocalError):
    """A data file does not fit the task's schema; the text names column and row."""
