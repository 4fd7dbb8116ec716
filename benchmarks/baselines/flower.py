"""Rounds of Flower's simulation, plain or with SecAgg+ (every client shares with all): seconds a round as JSON.

python flower.py DATA.npz CLIENTS ROUNDS plain|secagg        (in an environment with flwr[simulation] and jax)
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import warnings
from typing import Any

import twonn
from flwr.client import ClientApp, NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import LegacyContext, ServerApp, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.simulation import run_simulation

DATA, CLIENTS, ROUNDS, MODE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
RECONSTRUCT = CLIENTS * 11 // 16
ENDED: list[float] = []


class Client(NumPyClient):
    """One client with its own rows."""

    def __init__(self, number: int) -> None:
        self._x, self._y = twonn.shard(DATA, number, CLIENTS)

    def fit(self, parameters: Any, config: Any) -> Any:  # noqa: ARG002  # Flower's signature
        return twonn.train(parameters, self._x, self._y, 0), len(self._x), {}


def client(context: Context) -> Any:
    """The client of a virtual node."""
    return Client(int(context.node_config["partition-id"])).to_client()


def ended(*_: Any) -> None:
    """Flower's hook after each round; notes the time and evaluates nothing."""
    ENDED.append(time.monotonic())


server = ServerApp()


@server.main()
def serve(grid: Any, context: Context) -> None:
    """All rounds."""
    strategy = FedAvg(
        fraction_evaluate=0,
        min_fit_clients=CLIENTS,
        min_available_clients=CLIENTS,
        evaluate_fn=ended,
        initial_parameters=ndarrays_to_parameters(twonn.initial()),
    )
    legacy = LegacyContext(context=context, config=ServerConfig(num_rounds=ROUNDS), strategy=strategy)
    secure = SecAggPlusWorkflow(num_shares=CLIENTS, reconstruction_threshold=RECONSTRUCT)
    (DefaultWorkflow(fit_workflow=secure) if MODE == "secagg" else DefaultWorkflow())(grid, legacy)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    app = ClientApp(client, mods=[secaggplus_mod] if MODE == "secagg" else [])
    run_simulation(server, app, CLIENTS, backend_config={"client_resources": {"num_cpus": 1.0}})
    print(json.dumps([later - earlier for earlier, later in itertools.pairwise(ENDED)]))
