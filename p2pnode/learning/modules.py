"""Finding a task's module and reading its options. A module's source is hashed before it is run."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_type_hints

from p2pnode.learning import tasks
from p2pnode.learning.spec import Option, TaskSpec
from protocols.errors import LocalError
from protocols.types import Digest

KNOWN_TASKS: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(tasks.__path__)))


@dataclass(frozen=True, slots=True)
class TaskModule:
    """A module that was found, not yet run."""

    name: str
    import_name: str
    path: Path
    source: bytes

    @property
    def digest(self) -> Digest:
        """SHA-256 of the source."""
        return Digest(hashlib.sha256(self.source).digest())

    def load(self) -> Any:
        """Runs the source that was hashed, once a process.

        Raises:
            LocalError: it fails, or lacks `Options` or `define`.
        """
        module: Any = sys.modules.get(self.import_name) or self._run()
        for needed in ("Options", "define"):
            if not hasattr(module, needed):
                raise LocalError(f"task module {self.path} has no {needed!r}; see p2pnode/learning/task.py")
        if not is_dataclass(module.Options):
            raise LocalError(f"task module {self.path}: Options must be a dataclass; see p2pnode/learning/task.py")
        return module

    def _run(self) -> ModuleType:
        module = ModuleType(self.import_name)
        module.__file__ = str(self.path)
        sys.modules[self.import_name] = module  # dataclasses look their module up while it runs
        try:
            exec(compile(self.source, self.path, "exec"), module.__dict__)  # noqa: S102  # the user's own module
        except Exception as error:
            del sys.modules[self.import_name]
            raise LocalError(f"task module {self.path} fails: {type(error).__name__}: {error}") from error
        return module


def find_module(name_or_path: str) -> TaskModule:
    """The module of one of our tasks, of an installed dotted name, or of a .py file.

    Raises:
        LocalError: there is none.
    """
    if name_or_path in KNOWN_TASKS:
        return _read(name_or_path, Path(tasks.__path__[0]) / f"{name_or_path}.py")
    if name_or_path.endswith(".py"):
        path = Path(name_or_path)
        if not path.is_file():
            raise LocalError(f"task file {path} does not exist")
        return _read(path.stem, path)
    origin = _origin(name_or_path) if "." in name_or_path else None
    if origin is None:
        raise LocalError(
            f"unknown task {name_or_path!r}; known: {', '.join(KNOWN_TASKS)}, or give a dotted module or a .py file"
        )
    return _read(name_or_path, origin)


def find_source(spec: TaskSpec, module: str | None) -> TaskModule:
    """The module of the task that the chain names, found by `module` where it is not one of ours; not yet run.

    Raises:
        LocalError: the task is not one of ours and no module was given, or the digests differ.
    """
    if module is None and spec.name not in KNOWN_TASKS:
        raise LocalError(f"the subnet learns {spec.name!r}, which is not one of ours; give its module (a .py file)")
    found = find_module(module or spec.name)
    if found.digest != spec.source_digest:
        raise LocalError(
            f"task {spec.name!r}: your module {found.path} (SHA-256 {found.digest.hex()[:16]}) differs from the "
            f"subnet's ({spec.source_digest.hex()[:16]}); get the version that the subnet was founded with"
        )
    return found


def local_option(default: str) -> Any:
    """A field of `Options` that belongs to this machine (a path): it is no part of the task's identity."""
    return field(default=default, metadata={"local": True})


def read_options(kind: type[Any], given: Mapping[str, Option], task: str) -> Any:
    """The module's `Options` with those given in place of the defaults; text is read as a number where one is due.

    Raises:
        LocalError: an option is unknown, of the wrong type, or refused by `Options` itself.
    """
    types = {item.name: get_type_hints(kind)[item.name] for item in fields(kind)}
    for name in given:
        if name not in types:
            raise LocalError(f"task {task!r} has no option {name!r}; it has {', '.join(types) or 'none'}")
    return kind(
        **{name: _convert(value, types[name], f"task {task!r}, option {name!r}") for name, value in given.items()}
    )


def _convert(value: Option, wanted: type[Any], what: str) -> Option:
    if wanted not in (str, int, float) or (wanted is int and isinstance(value, float)):
        raise LocalError(f"{what} must be {wanted.__name__}, not {value!r}")
    try:
        converted: Option = wanted(value)
    except ValueError as error:
        raise LocalError(f"{what} must be {wanted.__name__}, not {value!r}") from error
    return converted


def _origin(dotted: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(dotted)
    except (ImportError, ValueError):  # no such package, or a name of dots
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _read(name: str, path: Path) -> TaskModule:
    source = path.read_bytes()
    return TaskModule(name, f"twopm_task_{hashlib.sha256(source).hexdigest()}", path, source)
