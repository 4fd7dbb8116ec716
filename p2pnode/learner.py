"""What a node knows of the model: where it stands, one local update from there, the outer step, and its bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from p2pnode.data.schema import Examples
from p2pnode.learning.model import Tensors, load_model, model_bytes
from p2pnode.learning.task import Task
from protocols.effects import Head, Train
from protocols.encryption.lanes import pack_values, unpack_sums
from protocols.encryption.scheme import Lanes
from protocols.errors import LocalError, MalformedError
from protocols.hashing import tagged
from protocols.privacy.noise import gaussian
from protocols.types import NO_DIGEST, Digest, PeerKey, Secret
from protocols.updates.clip import Noise, from_grid, off_grid, to_grid
from protocols.updates.pieces import blob_digest
from protocols.updates.totals import decode_total

CANDIDATES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Model:
    """Parameters and the outer step's state, with their canonical bytes and the digest of these."""

    params: Tensors = field(repr=False)
    state: Tensors = field(repr=False)
    digest: Digest
    blob: bytes = field(repr=False)


class Learner:
    """One node's model. `train`, `step` and `metrics` run in workers; `adopt` moves the head.

    They are pure, but for error feedback: then `train` remembers what the grid left of its last update.
    """

    def __init__(self, task: Task, seed: int, peer: PeerKey, examples: Examples | None) -> None:
        self.task, self._peer, self._examples = task, peer, examples
        self.schema = task.update_schema
        if task.feedback and self.schema.privacy is not None:
            raise LocalError("error feedback would take back the noise that the task promises; turn one of them off")
        params = task.init(seed)
        self.model = _model(params, task.initial_state(params))
        self.head = Digest(bytes(32))
        self._left: Mapping[str, npt.NDArray[np.float64]] = {}  # of this peer's last update, with error feedback
        self._candidates: OrderedDict[Digest, Model] = OrderedDict()
        self._step: tuple[tuple[Digest, Digest], Model] = (NO_DIGEST, NO_DIGEST), self.model

    def noise(self, wanted: Train, entropy: Callable[[], bytes]) -> Noise | None:
        """This peer's share of the noise, where the task promises privacy.

        It comes from 32 fresh secret bytes that serve this once, are written nowhere, and are drawn only if needed.

        Raises:
            LocalError: the cell is too small for the promise.
        """
        privacy = self.schema.privacy
        if privacy is None:
            return None
        sigma, seed = privacy.member_sigma(wanted.members, wanted.quorum), Secret(entropy())
        return lambda tensor: sigma * gaussian(seed, tensor.name, tensor.size).reshape(tensor.shape)

    def train(self, model: Model, height: int, noise: Noise | None = None) -> Lanes:
        """This peer's update from a model, clipped, with its noise, on the grid, as int64[lanes].

        Its seed follows from the peer and the height, so that a run can be repeated.

        Raises:
            LocalError: this node has no data, or training diverged.
        """
        assert noise is not None or self.schema.privacy is None, "without its noise no update leaves"
        if self._examples is None:
            raise LocalError("this node has no data to train on")
        seed = int.from_bytes(tagged("train", self._peer, height)[:8], "big")
        update = self.task.local_update(model.params, self._examples, seed)
        if not self.task.feedback:
            return pack_values(to_grid(update, self.schema, noise), self.schema)
        whole = {name: update[name] + self._left.get(name, 0.0) for name in update}
        integers = to_grid(whole, self.schema)
        self._left = off_grid(whole, integers, self.schema)
        return pack_values(integers, self.schema)

    def step(self, model: Model, total: bytes) -> Model:
        """The model that a round's total leads to from the one before.

        Raises:
            MalformedError: not a total of this task's updates.
        """
        taken = model.digest, blob_digest(total)
        if taken == self._step[0]:
            return self._step[1]  # a member takes it to sign the header, and again when the header is certified
        decoded = decode_total(total, self.schema.limbs)
        sums = from_grid(unpack_sums(decoded.lanes, self.schema), self.schema)
        after = _model(*self.task.apply(model.params, model.state, sums, decoded.contributors))
        self._step = taken, after
        return after

    @staticmethod
    def read(blob: bytes) -> Model:
        """A model from its canonical bytes.

        Raises:
            MalformedError: they are none.
        """
        return Model(*load_model(blob), blob_digest(blob), blob)

    def remember(self, model: Model) -> None:
        """Keeps a model that was computed or read until a header is certified that names it."""
        self._candidates[model.digest] = model
        while len(self._candidates) > CANDIDATES_MAX:
            self._candidates.popitem(last=False)

    def adopt(self, head: Head, blob: bytes | None) -> bytes:
        """Moves to a certified head; returns the model's canonical bytes, to be kept and served.

        Args:
            head: what to move to.
            blob: the model's bytes if this node did not compute it itself.

        Raises:
            LocalError: the model is not at hand.
            MalformedError: the bytes are no model of this task.
        """
        model = self._candidates.get(head.params) or (self.model if blob is None else self.read(blob))
        if model.digest != head.params:
            raise LocalError(f"the model with digest {head.params.hex()[:8]} is not at hand")
        if _shapes(model) != _shapes(self.model):
            raise MalformedError("the certified model's tensors are not this task's")
        self.model, self.head = model, head.header
        self._step = (NO_DIGEST, NO_DIGEST), model  # what came before is not taken again
        self._candidates.clear()
        return model.blob

    def metrics(self, model: Model, held_out: Examples) -> dict[str, float]:
        """How good a model is on rows that nobody trained on."""
        return self.task.metrics(model.params, held_out)


def _shapes(model: Model) -> list[tuple[str, tuple[int, ...], str]]:
    tensors = [*sorted(model.params.items()), *sorted(model.state.items())]
    return [(name, tensor.shape, tensor.dtype.str) for name, tensor in tensors]


def _model(params: Tensors, state: Tensors) -> Model:
    blob = model_bytes(params, state)
    return Model(params, state, blob_digest(blob), blob)
