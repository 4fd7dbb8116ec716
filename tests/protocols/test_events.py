from __future__ import annotations

import numpy as np

from protocols.events import Received, Trained
from protocols.told import CellOpened
from protocols.types import NO_DIGEST
from protocols.wire.messages import CellResult, Vote
from tests.protocols.playbook import CONTRIBUTORS, VIEW


def test_what_was_received_names_its_message_and_its_sender() -> None:
    vote = Vote(VIEW.slot(0), 0, 1, NO_DIGEST, None)
    event = Received(CONTRIBUTORS[3].sign(vote))
    assert (event.message, event.sender) == (vote, CONTRIBUTORS[3].key)


def test_events_show_no_private_values() -> None:
    private = np.array([424242], dtype=np.int64)
    assert "424242" not in repr(Trained(private, NO_DIGEST))
    assert "424242" not in repr(CellOpened(CellResult(0, 3, NO_DIGEST, NO_DIGEST), private))
