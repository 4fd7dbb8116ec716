"""What to simulate: a scenario comes from a TOML file, from the command line, or from both (the command line wins)."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import LocalError
from protocols.params import Params
from protocols.presets import preset, require_startable

Backend = Literal["real", "virtual"]
Engine = Literal["local", "ray"]
FaultKind = Literal["vanish", "silent", "restart", "kill", "cut", "lose"]
Moment = Literal["start", "train", "submit", "agree", "aggregate", "open"]
SHORTCUTS: Final = ("k_min", "dropouts", "committee", "threshold")
VIRTUAL_ONLY: Final = ("cut", "lose")
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)


class Fault(BaseModel):
    """Something that goes wrong on purpose.

    Attributes:
        kind: `vanish` (it dies), `silent` (it lives, but nothing it sends arrives), `restart` (it dies and comes back
            from its disk after `seconds`), `kill` (the same to its whole process, by SIGKILL), `cut` (the links between
            `peers` and everybody else break), `lose` (every message is lost with `probability`).
        at_height: the round in which it strikes.
        after: the phase of that round after which it strikes; `start` is before training.
        peers: names ("peer-03", "helper-00", "validator-1", or "committee-0" for the epoch's first member), or
            numbers of data peers.
        seconds: for how long (`restart`, and `silent`, `kill`, `cut`, `lose` where not 0); 0 is for ever.
        probability: of losing a message (`lose`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    at_height: int = Field(ge=0)
    after: Moment = "start"
    peers: tuple[int | str, ...] = ()
    seconds: float = Field(0.0, ge=0)
    probability: float = Field(0.0, ge=0, le=1)

    @property
    def for_ever(self) -> bool:
        """Whether its peers never come back, so that nobody waits for them."""
        return self.kind == "vanish" or (self.kind != "restart" and not self.seconds)

    def names(self) -> tuple[str, ...]:
        """The peers by name."""
        return tuple(data_peer(peer) if isinstance(peer, int) else peer for peer in self.peers)


class Adversary(BaseModel):
    """Peers that do not follow the protocol (virtual time only).

    Attributes:
        kind: what they do (`simnet/adversaries/cast.py` lists all kinds); `random` is one to three kinds, drawn anew
            for each round. Kinds of several entries add up.
        peers: names, or numbers of data peers, as in `Fault`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    peers: tuple[int | str, ...]

    def names(self) -> tuple[str, ...]:
        """The peers by name."""
        return tuple(data_peer(peer) if isinstance(peer, int) else peer for peer in self.peers)


class Churn(BaseModel):
    """Data peers that are killed (SIGKILL) and come back, others in each round, each time at some moment of it.

    Attributes:
        share: of the data peers, in each round.
        seconds: until a killed one is started again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(gt=0, lt=1)
    seconds: float = Field(1.0, gt=0)

    def faults(self, peers: int, rounds: int, seed: int) -> tuple[Fault, ...]:
        """The kills of a run, the same for the same seed."""
        chance, struck = random.Random(f"simnet churn {seed}"), max(1, round(self.share * peers))  # noqa: S311  no secret
        return tuple(
            Fault(
                kind="kill",
                at_height=height,
                after=chance.choice(MOMENTS),
                peers=tuple(chance.sample(range(peers), struck)),
                seconds=self.seconds,
                probability=0.0,
            )
            for height in range(rounds)
        )


class Scenario(BaseModel):
    """One experiment, complete: the same scenario gives the same result.

    Attributes:
        task: one of ours, a dotted module name, or the path of a .py file.
        peers: holders of data; peers without data are added where the committee needs them.
        rounds: heights to run.
        seed: of data splits, identities and, in virtual time, of everything.
        params: protocol parameters that differ from the preset's, by name (see protocols/params.py).
        options: the task's options, by name.
        split: `iid`, or `dirichlet:ALPHA`.
        validators: peers that recompute sums and attest.
        processes: worker processes of the real backend.
        engine: where they run: on this machine, or on a Ray cluster.
        address: of the Ray cluster, as `ray.init` takes it; `local` starts one here.
        churn: data peers that die and come back all the time (real backend, a process for each peer).
        chain: JSON-RPC URL of a chain to use instead of an embedded one.
        port: TCP port of the first peer, 0 for a free one (real backend).
        accounts: tell every node's CPU time in the events (real backend); it costs some per cent of it.
        faults: what goes wrong on purpose, one `[[faults]]` each.
        adversaries: who is dishonest, one `[[adversaries]]` each.
        compute: how many of the data peers, the first ones, may be drawn into committees; all of them by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = "digits"
    peers: int = Field(24, ge=1, le=10_000)
    rounds: int = Field(10, ge=1)
    seed: int = Field(0, ge=0)
    backend: Backend = "real"
    preset: str = "dev"
    plaintext: bool = False
    params: Mapping[str, int | str] = {}
    options: Mapping[str, int | float | str] = {}
    split: str = "iid"
    validators: int = Field(4, ge=0, le=64)
    processes: int = Field(2, ge=1, le=64)
    engine: Engine = "local"
    address: str = "auto"
    chain: str | None = None
    port: int = Field(0, ge=0, le=65535)
    accounts: bool = False
    faults: tuple[Fault, ...] = ()
    adversaries: tuple[Adversary, ...] = ()
    compute: int | None = Field(None, ge=1)
    churn: Churn | None = None

    @property
    def all_faults(self) -> tuple[Fault, ...]:
        """Those that are named, and those of the churn."""
        return self.faults + (self.churn.faults(self.peers, self.rounds, self.seed) if self.churn else ())

    def protocol(self) -> Params:
        """The subnet's frozen parameters.

        Raises:
            LocalError: the preset cannot start, or the parameters or the number of peers do not fit together.
        """
        known = [field.name for field in fields(Params)]
        for name in self.params:
            if name not in known:
                raise LocalError(f"unknown protocol parameter {name!r}; known: {', '.join(known)}")
        scheme = "plaintext" if self.plaintext else "one-time-key"
        given = {"scheme": scheme, "final_height": self.rounds, **self.params}
        chosen = require_startable(preset(self.preset).with_(**given))
        if self.peers < chosen.cell_min:
            raise LocalError(
                f"{self.peers} peers cannot fill one cell: k_min {chosen.k_min} + dropouts {chosen.dropouts} makes "
                f"{chosen.cell_min}; take more --peers, or a smaller --k-min or --dropouts"
            )
        return chosen

    def check(self) -> None:
        """Everything that can be refused before anything starts, beside the task.

        Raises:
            LocalError: naming what is wrong.
        """
        params = self.protocol()
        self.alpha()
        if self.compute is not None and self.compute < params.committee:
            raise LocalError(f"{self.compute} peers that compute cannot fill a committee of {params.committee}")
        if self.adversaries:
            self._check_adversaries()
        nodes = max(self.peers, params.committee) + self.validators
        for fault in self.all_faults:
            if self.backend == "real" and fault.kind in VIRTUAL_ONLY:
                raise LocalError(f"fault {fault.kind!r} exists in virtual time only; take --backend virtual")
            if fault.kind == "kill" and self.backend == "virtual":
                raise LocalError("fault 'kill' ends processes, which the virtual backend has not; take 'restart'")
            if fault.kind == "kill" and self.processes < nodes:
                raise LocalError(f"fault 'kill' ends whole processes: give each node its own, --processes {nodes}")
            if fault.kind != "lose" and not fault.peers:
                raise LocalError(f"fault {fault.kind!r} at height {fault.at_height} names no peers")

    def _check_adversaries(self) -> None:
        from simnet.adversaries.cast import check_kind  # imports all machines

        for adversary in self.adversaries:
            check_kind(adversary.kind)
            if self.backend == "real":
                raise LocalError("adversaries exist in virtual time only; take --backend virtual")
            for name in adversary.names():
                number = name.rpartition("-")[2]
                if not number.isdigit() or name != data_peer(int(number)) or int(number) >= self.peers:
                    raise LocalError(f"adversary {adversary.kind!r} names {name!r}, which is no data peer")

    def alpha(self) -> float | None:
        """Dirichlet's alpha, None for the IID split.

        Raises:
            LocalError: the split is neither.
        """
        kind, _, alpha = self.split.partition(":")
        if self.split == "iid":
            return None
        try:
            if kind == "dirichlet" and float(alpha) > 0:
                return float(alpha)
        except ValueError:
            pass  # said below
        raise LocalError(f"unknown split {self.split!r}; take iid, or dirichlet:ALPHA with ALPHA above 0")


def data_peer(number: int) -> str:
    """The name of the data peer with this number."""
    return f"peer-{number:02d}"


def read_scenario(path: Path) -> dict[str, Any]:
    """A scenario file's content, shortcuts (`k_min = 3` for `params.k_min`) resolved, not yet checked.

    Raises:
        LocalError: it cannot be read or is no TOML.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LocalError(f"cannot read scenario {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LocalError(f"scenario {path} is not TOML: {error}") from error
    return values


def make_scenario(*layers: Mapping[str, Any]) -> Scenario:
    """A checked scenario from layers of values, later ones over earlier ones.

    Raises:
        LocalError: an unknown key or a value that does not fit, named.
    """
    merged: dict[str, Any] = {"params": {}, "options": {}}
    for layer in layers:
        for name, value in layer.items():
            if name in SHORTCUTS:
                merged["params"][name] = value
            elif name in ("params", "options") and isinstance(value, dict):
                merged[name] |= value
            else:
                merged[name] = value
    try:
        scenario = Scenario.model_validate(merged)
    except ValidationError as error:
        raise LocalError(_sentence(error)) from error
    scenario.check()
    return scenario


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = Fault.model_fields if where.startswith("faults") else [*Scenario.model_fields, *SHORTCUTS]
        return f"scenario: unknown key {where!r}; known: {', '.join(known)}"
    message = first["msg"]
    return f"scenario: {where} = {first['input']!r}: {message[0].lower()}{message[1:]}"
