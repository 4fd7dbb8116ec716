"""Rounds of NVFlare's simulator under homomorphic encryption (TenSEAL, one key that every client holds).

python nvflare_rounds.py DATA.npz CLIENTS ROUNDS      (in an environment with nvflare, tenseal and jax)
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tenseal

HERE = Path(__file__).parent
HE = "nvflare.app_opt.he"


def contexts(startup: Path) -> None:
    """NVFlare's own CKKS parameters (provision of its cifar10 example), for server and clients."""
    startup.mkdir(parents=True)
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40])
    context.generate_relin_keys()
    context.global_scale = 2**40
    (startup / "client_context.tenseal").write_bytes(context.serialize(save_secret_key=True))
    context.make_context_public()
    (startup / "server_context.tenseal").write_bytes(context.serialize())


def job(folder: Path, data: str, clients: int, rounds: int, clock: Path) -> None:
    """The job: scatter and gather, with NVFlare's own encryption filters."""
    server = {
        "format_version": 2,
        "workflows": [
            {
                "id": "rounds",
                "path": "nvflare.app_common.workflows.scatter_and_gather.ScatterAndGather",
                "args": {
                    "min_clients": clients,
                    "num_rounds": rounds,
                    "wait_time_after_min_received": 0,
                    "aggregator_id": "aggregator",
                    "persistor_id": "persistor",
                    "shareable_generator_id": "generator",
                    "train_task_name": "train",
                    "persist_every_n_rounds": 0,
                },
            }
        ],
        "components": [
            {"id": "persistor", "path": "nvflare_app.InMemory", "args": {}},
            {"id": "clock", "path": "nvflare_app.Clock", "args": {"path": str(clock)}},
            {"id": "generator", "path": f"{HE}.model_shareable_generator.HEModelShareableGenerator", "args": {}},
            {
                "id": "aggregator",
                "path": f"{HE}.intime_accumulate_model_aggregator.HEInTimeAccumulateWeightedAggregator",
                "args": {"expected_data_kind": "WEIGHT_DIFF", "weigh_by_local_iter": False},
            },
        ],
    }
    client = {
        "format_version": 2,
        "executors": [
            {
                "tasks": ["train"],
                "executor": {"path": "nvflare_app.Trainer", "args": {"data": data, "clients": clients}},
            }
        ],
        "task_data_filters": [
            {"tasks": ["train"], "filters": [{"path": f"{HE}.model_decryptor.HEModelDecryptor", "args": {}}]}
        ],
        "task_result_filters": [
            {"tasks": ["train"], "filters": [{"path": f"{HE}.model_encryptor.HEModelEncryptor", "args": {}}]}
        ],
    }
    app = folder / "app"
    (app / "config").mkdir(parents=True)
    (app / "custom").mkdir()
    for name in ("nvflare_app.py", "twonn.py"):
        shutil.copy(HERE / name, app / "custom")
    (app / "config" / "config_fed_server.json").write_text(json.dumps(server))
    (app / "config" / "config_fed_client.json").write_text(json.dumps(client))
    meta = {"name": "rounds", "resource_spec": {}, "min_clients": clients, "deploy_map": {"app": ["@ALL"]}}
    (folder / "meta.json").write_text(json.dumps(meta))


def main(data: str, clients: int, rounds: int) -> list[float]:
    """Seconds between the starts of the rounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = folder / "clock"
        contexts(folder / "workspace" / "startup")
        job(folder / "job", data, clients, rounds, clock)
        nvflare = Path(sys.executable).with_name("nvflare")
        command = [
            nvflare,
            "simulator",
            folder / "job",
            "-w",
            folder / "workspace",
            "-n",
            str(clients),
            "-t",
            str(clients),
        ]
        subprocess.run(command, check=True, stdout=sys.stderr)
        starts = [float(line) for line in clock.read_text().split()]
    return [later - earlier for earlier, later in itertools.pairwise(starts)]


if __name__ == "__main__":
    print(json.dumps(main(str(Path(sys.argv[1]).resolve()), int(sys.argv[2]), int(sys.argv[3]))))
