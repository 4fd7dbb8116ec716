"""What is learnt. A task is a Python module with two names in it:

    @dataclass(frozen=True)
    class Options: ...                        # hyperparameters with their defaults: int, float or str
    def define(options: Options) -> Definition: ...

`load_task` makes a `Task` of it, whether the module is one of ours (`digits`), an installed one (`my.package.task`)
or a file (`./my_task.py`). What all peers must agree on, its `TaskSpec`, stands on the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol

from p2pnode.data.schema import DataSchema, Dataset, Examples
from p2pnode.learning.model import Tensors
from p2pnode.learning.modules import TaskModule, find_module, find_source, read_options
from p2pnode.learning.spec import Option, TaskSpec
from protocols.errors import LocalError
from protocols.updates.schema import UpdateSchema


class Method(Protocol):
    """How peers learn together: `FedAvg`, `Newton`, or a task's own. Pure: state goes in and comes out."""

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """What travels for a model of these shapes."""
        ...

    def initial_state(self, model: Tensors) -> Tensors:
        """The outer step's state before the first round (float32, float64 or int64)."""
        ...

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:
        """A peer's contribution from its own rows, float64, in the schema's shapes; `seed` is 64 bits."""
        ...

    def apply(self, model: Tensors, state: Tensors, sums: Tensors, contributors: int) -> tuple[Tensors, Tensors]:
        """The next (model, state) from the exact sums (float64) of at least one contributor.

        Every peer runs it on the same input and must get the same bits on any machine.
        """
        ...

    def public_metrics(self, state: Tensors) -> dict[str, float]:
        """What the opened sums alone say, so that a peer without data can report it."""
        ...


@dataclass(frozen=True)
class Definition:
    """What a task's module defines.

    Attributes:
        schema: the columns of the data.
        dataset: the built-in data, read when called.
        init: seed -> the model before the first round; the same bits on any machine.
        method: how peers learn together.
        metrics: (model, held-out examples) -> names and numbers for people.
    """

    schema: DataSchema
    dataset: Callable[[], Dataset]
    init: Callable[[int], Tensors]
    method: Method
    metrics: Callable[[Tensors, Examples], dict[str, float]]


@dataclass(frozen=True)
class Task(Definition):
    """A definition and its identity."""

    spec: TaskSpec

    @property
    def feedback(self) -> bool:
        """Whether peers carry what the grid leaves of an update over to the next one; a method may say so."""
        return bool(getattr(self.method, "feedback", False))

    @cached_property
    def update_schema(self) -> UpdateSchema:
        """What travels: tensors with shape, grid step, limbs and tau."""
        return self.method.update_schema(self.init(0))

    def initial_state(self, model: Tensors) -> Tensors:
        """See `Method.initial_state`."""
        return self.method.initial_state(model)

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:
        """See `Method.local_update`."""
        return self.method.local_update(model, examples, seed)

    def apply(self, model: Tensors, state: Tensors, sums: Tensors, contributors: int) -> tuple[Tensors, Tensors]:
        """See `Method.apply`."""
        if contributors < 1:
            raise LocalError("the outer step needs the sum of at least one contribution")
        return self.method.apply(model, state, sums, contributors)

    def public_metrics(self, state: Tensors) -> dict[str, float]:
        """See `Method.public_metrics`."""
        return self.method.public_metrics(state)


def load_task(name_or_path: str, options: Mapping[str, Option] | None = None) -> Task:
    """A task by our name for it, by a dotted module name, or by the path of a .py file.

    Raises:
        LocalError: unknown task or option, an option of the wrong type, or a module that does not define a task.
    """
    return _define(find_module(name_or_path), options or {})


def load_spec(spec: TaskSpec, module: str | None = None, local: Mapping[str, Option] | None = None) -> Task:
    """The task that the chain names. Its own word is enough for our tasks alone: any other module must be given by you.

    Args:
        spec: what the chain says.
        module: a dotted name or a path, where the task is not one of ours.
        local: options of this machine, such as the path of a data set.

    Raises:
        LocalError: as `load_task`, or your module is not the one that the subnet was founded with.
    """
    found = find_source(spec, module)
    task = _define(found, {**spec.options, **(local or {})})
    if task.spec.options != spec.options:
        raise LocalError(f"task {spec.name!r}: the subnet's options are not those of the module, or yours change them")
    return replace(task, spec=spec)


def _define(found: TaskModule, options: Mapping[str, Option]) -> Task:
    module = found.load()
    chosen = read_options(module.Options, options, found.name)
    shared = {item.name: getattr(chosen, item.name) for item in fields(chosen) if not item.metadata.get("local")}
    definition = module.define(chosen)
    if not isinstance(definition, Definition):
        raise LocalError(f"task {found.name!r}: define() must return a Definition, not {type(definition).__name__}")
    parts = {item.name: getattr(definition, item.name) for item in fields(Definition)}
    return Task(**parts, spec=TaskSpec(found.name, found.digest, shared))
