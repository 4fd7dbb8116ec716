"""What NVFlare's simulator runs of ours: the client's work, the model to start from, and the clock of the rounds.

Copied into the job's `custom` folder by nvflare_rounds.py, beside twonn.py.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import twonn
from nvflare.apis.dxo import DXO, DataKind, MetaKey, from_shareable
from nvflare.apis.executor import Executor
from nvflare.app_common.abstract.model import make_model_learnable
from nvflare.app_common.abstract.model_persistor import ModelPersistor
from nvflare.app_common.app_event_type import AppEventType
from nvflare.widgets.widget import Widget


class Clock(Widget):
    """Appends the time at which each round starts to a file."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)

    def handle_event(self, event_type: str, fl_ctx: Any) -> None:  # noqa: ARG002  # NVFlare's signature
        """See `Widget`."""
        if event_type == AppEventType.ROUND_STARTED:
            with self._path.open("a") as file:
                file.write(f"{time.monotonic()}\n")


class InMemory(ModelPersistor):
    """Starts from the common parameters; keeps nothing."""

    def load_model(self, fl_ctx: Any) -> Any:  # noqa: ARG002  # NVFlare's signature
        """See `ModelPersistor`."""
        return make_model_learnable({f"p{index}": tensor for index, tensor in enumerate(twonn.initial())}, {})

    def save_model(self, learnable: Any, fl_ctx: Any) -> None:
        """See `ModelPersistor`."""


class Trainer(Executor):
    """One client's epoch; its answer is the difference of the weights."""

    def __init__(self, data: str, clients: int) -> None:
        super().__init__()
        self._data, self._clients = data, clients
        self._shard: tuple[np.ndarray, np.ndarray] | None = None

    def execute(self, task_name: str, shareable: Any, fl_ctx: Any, abort_signal: Any) -> Any:  # noqa: ARG002
        """See `Executor`."""
        given = from_shareable(shareable).data
        model = [
            np.asarray(given[f"p{index}"], np.float32).reshape(tensor.shape)
            for index, tensor in enumerate(twonn.initial())
        ]
        if self._shard is None:
            self._shard = twonn.shard(self._data, int(fl_ctx.get_identity_name().split("-")[1]) - 1, self._clients)
        trained = twonn.train(model, *self._shard, 0)
        delta = {f"p{index}": new - old for index, (new, old) in enumerate(zip(trained, model, strict=True))}
        return DXO(DataKind.WEIGHT_DIFF, delta, {MetaKey.NUM_STEPS_CURRENT_ROUND: 1}).to_shareable()
