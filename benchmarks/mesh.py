"""What a mesh of hundreds of real libp2p peers costs: time until it is whole, gossip, CPU and memory of a peer.

    python benchmarks/mesh.py --peers 64 --stock --json mesh.json           # hosts and gossip alone
    python benchmarks/mesh.py --peers 64 128 256 --rounds 5                 # whole rounds, encrypted, by simnet

Every peer has its own sockets, keys, connections and signature checks; peers share processes, nothing else. The mesh is
whole when every peer has enough mesh neighbours and messages of three peers have reached all. CPU is that of all
processes that run peers. Memory of a peer: what the processes grew by since they had loaded everything, per peer.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from simnet.events import Event, read_events

PROBES: Final = 3
PATIENCE_S: Final = 90.0
DRAIN_S: Final = 10.0
RATE_LEAST, RATE_MOST = 0.5, 256.0
"""Messages a second."""
KIB: Final = 1024

Figures = dict[str, Any]


class Worker:
    """A process of hosts (mesh_worker.py). `call` waits for its answer; `send` and `answer` are its halves."""

    def __init__(self, process: subprocess.Popen[str], stack: str, numbers: tuple[int, int]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout
        self.count = numbers[1] - numbers[0]
        self.send(stack=stack, numbers=numbers)
        self.base = self.answer()

    def send(self, **command: Any) -> None:
        self._in.write(json.dumps(command) + "\n")
        self._in.flush()

    def answer(self) -> Figures:
        line = self._out.readline()
        if not line:
            raise SystemExit("a worker died; its trace is above")
        answer: Figures = json.loads(line)
        return answer

    def call(self, do: str, **arguments: Any) -> Figures:
        self.send(do=do, **arguments)
        return self.answer()


@contextmanager
def workers(stack: str, peers: int, processes: int) -> Iterator[list[Worker]]:
    with ExitStack() as exits:
        started = []
        for place in range(processes):
            command = [sys.executable, str(Path(__file__).with_name("mesh_worker.py"))]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            exits.callback(process.kill)
            numbers = place * peers // processes, (place + 1) * peers // processes
            started.append(Worker(process, stack, numbers))
        yield started


class Mesh:
    """The running peers of all workers, by number."""

    def __init__(self, crew: list[Worker]) -> None:
        self._crew = crew
        self._homes = [(worker, place) for worker in crew for place in range(worker.count)]
        self.size = len(self._homes)
        self._numbers = iter(range(1 << 32))
        self._choose = random.Random(0)

    def all(self, do: str, **arguments: Any) -> list[Figures]:
        for worker in self._crew:
            worker.send(do=do, **arguments)
        return [worker.answer() for worker in self._crew]

    def publish(self, size: int) -> None:
        """By a random peer."""
        worker, place = self._choose.choice(self._homes)
        worker.call("publish", peer=place, number=next(self._numbers), bytes=size)

    def collect(self) -> tuple[Counter[int], list[float]]:
        """How often each message arrived since the last time, and all delays in seconds."""
        received: Counter[int] = Counter()
        seconds: list[float] = []
        for answer in self.all("collect"):
            received.update({int(number): count for number, count in answer["received"].items()})
            seconds += answer["seconds"]
        return received, seconds

    def used(self, what: str) -> float:
        return sum(answer[what] for answer in self.all("usage", collect_garbage=what == "rss_bytes"))

    def form(self) -> Figures:
        """Everybody joins; until the mesh is whole."""
        addresses = [address for worker in self._crew for address in worker.answer()["addresses"]]
        cpu, began = self.used("cpu_seconds"), time.monotonic()
        states = self.all("join", others=addresses)
        while sum(state.get("meshed", 0) for state in states) < self.size:
            if time.monotonic() - began > PATIENCE_S:
                lone = self.size - sum(state["meshed"] for state in states)
                return {"seconds": None, "without_enough_neighbours": lone, "failures": states[0]["failures"][:3]}
            time.sleep(0.25)
            states = self.all("state")
        reached = self.reach_all()
        seconds = time.monotonic() - began
        return {
            "seconds": round(seconds, 1),
            "probes_reached_all": reached,
            "cpu_ms_per_peer": round(1e3 * (self.used("cpu_seconds") - cpu) / self.size, 1),
            "failed_joins": sum(len(state["failures"]) for state in self.all("state")),
        }

    def reach_all(self) -> bool:
        for _ in range(PROBES):
            self.publish(KIB)
        return self.wait_for(PROBES)[0] == PROBES * (self.size - 1)

    def wait_for(self, messages: int) -> tuple[int, list[float]]:
        """(deliveries, delays) of so many messages, until all have arrived or nothing has for a while."""
        total, seconds, last = 0, [], time.monotonic()
        while total < messages * (self.size - 1) and time.monotonic() - last < DRAIN_S:
            received, delays = self.collect()
            if received:
                last = time.monotonic()
            total += sum(received.values())
            seconds += delays
            time.sleep(0.1)
        return total, seconds

    def gossip(self, count: int, per_second: float, size: int = KIB) -> Figures:
        """So many messages at this rate, each by a random peer."""
        cpu, sent, began = self.used("cpu_seconds"), self.used("sent"), time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            self.publish(size)
        rate = count / (time.monotonic() - began)
        total, seconds = self.wait_for(count)
        wanted = count * (self.size - 1)
        cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
        sent = self.used("sent") - sent
        return {
            "messages": count,
            "per_second": round(rate, 1),
            "share": total / wanted,
            "p50_ms": round(1e3 * cuts[49], 1),
            "p95_ms": round(1e3 * cuts[94], 1),
            "p99_ms": round(1e3 * cuts[98], 1),
            "amplification": round(sent / (wanted * size), 2) if sent else None,
            "cpu_ms_per_delivery": round(1e3 * (self.used("cpu_seconds") - cpu) / wanted, 3),
        }

    def highest_rate(self, seconds: float) -> float:
        """The highest rate that was tried (doubling) with every message delivered to all, as fast as it was sent."""
        best, rate = 0.0, RATE_LEAST
        while rate <= RATE_MOST:
            figures = self.gossip(max(2, int(rate * seconds)), rate)
            if figures["share"] < 1.0 or figures["per_second"] < 0.9 * rate:
                break
            best, rate = rate, 2 * rate
        return best

    def memory(self) -> float:
        """KiB of a peer."""
        base = sum(worker.base["rss_bytes"] for worker in self._crew)
        return round((self.used("rss_bytes") - base) / self.size / KIB, 1)


def measure_hosts(stack: str, peers: int, processes: int, messages: int, rates: bool) -> Figures:
    with workers(stack, peers, processes) as crew:
        mesh = Mesh(crew)
        figures: Figures = {"mesh": mesh.form()}
        figures["rss_kib_per_peer"] = mesh.memory()
        figures["gossip"] = mesh.gossip(messages, 2.0)
        figures["rss_kib_per_peer_after"] = mesh.memory()
        if rates:
            figures["highest_rate_with_share_1"] = mesh.highest_rate(5.0)
        figures["refused"] = mesh.all("usage", collect_garbage=False)[0]["refused"]
        return figures


# -- whole rounds ------------------------------------------------------------------------------------------------------


def patience(peers: int) -> dict[str, int]:
    """Deadlines for so many peers on one machine: they bound a round, none of them is waited for.

    What takes a peer a tenth of a second takes this machine minutes for all; impatient members would add cells
    themselves that their aggregators are still adding.
    """
    return {
        "submit_s": max(30, peers),
        "grace_s": max(5, peers // 4),
        "agree_s": max(15, peers // 2),
        "open_s": max(30, peers),
    }


def measure_rounds(peers: int, rounds: int, processes: int, extra: list[str]) -> Figures:
    """A simnet run; CPU and memory of its worker processes between the first and the last applied round."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        simnet = [sys.executable, "-m", "simnet.cli", "run", "--task", "digits", "--accounts", "--peers", str(peers)]
        command = [*simnet, "--rounds", str(rounds), "--processes", str(processes), "--out", str(out), *extra]
        command += [f"--param={name}={value}" for name, value in patience(peers).items()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((out / "summary.json").read_text("utf-8"))
        return {**rounds_figures(list(read_events(out / "events.jsonl")), peers), **chosen(summary)}


def chosen(summary: Figures) -> Figures:
    names = ("rounds_applied", "abandoned", "dropped", "seconds_per_round_median", "bytes_sent_per_peer_median")
    return {name: summary[name] for name in names}


def rounds_figures(events: list[Event], peers: int) -> Figures:
    """From a run's events: what its workers used while rounds went on."""
    times: dict[int, list[float]] = {}
    for event in events:
        if event.name == "applied":
            times.setdefault(event.fields["height"], []).append(event.at)
    applied = {height: statistics.median(at) for height, at in sorted(times.items())}
    first, last = min(applied.values()), max(applied.values())
    usage = by_worker(events, "resources")
    cpu = sum(
        at_time(samples, last, "cpu_seconds") - at_time(samples, first, "cpu_seconds") for samples in usage.values()
    )
    grown = sum(at_time(samples, last, "rss_bytes") - samples[0].fields["rss_bytes"] for samples in usage.values())
    began = [event.at for event in events if event.name == "joined"]
    registered = [event.at for event in events if event.name == "registered"]
    nodes = len({event.node for event in events if event.name == "joined"})
    between = max(1, len(applied) - 1)
    return {
        "cpu_ms_per_peer_and_round": round(1e3 * cpu / nodes / between, 1),
        "cpu_ms_per_round_by_role": by_role(events, first, last, between),
        "wall_seconds_per_round": round((last - first) / between, 2),
        "seconds_until_joined": round(max(began) - min(began), 1),
        "seconds_until_registered": round(max(registered) - min(began), 1),
        "rss_kib_per_peer": round(grown / nodes / KIB, 1),
        "rss_mib_of_a_process_before_its_nodes": round(
            statistics.mean(samples[0].fields["rss_bytes"] for samples in usage.values()) / KIB**2
        ),
        "contributors": contributors(events, peers),
    }


def by_worker(events: list[Event], name: str) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.name == name and event.node.startswith("worker"):
            found.setdefault(event.node, []).append(event)
    return found


def by_role(events: list[Event], first: float, last: float, rounds: int) -> Figures:
    """Milliseconds of a peer and round in its own tasks and jobs (simnet/accounts.py), and what belongs to nobody."""
    names = {event.fields["peer"]: event.node for event in events if event.name == "joined"}
    epoch = next(event for event in events if event.name == "epoch")
    committee = {names[peer] for peer in epoch.fields["committee"]}
    spent: dict[str, list[float]] = {"data": [], "committee": [], "validator": [], "nobody": []}
    for samples in by_worker(events, "cpu").values():
        for node in samples[-1].fields["seconds"]:
            seconds = account(samples, node, last) - account(samples, node, first)
            role = "committee" if node in committee else "data" if node.startswith("peer") else "validator"
            spent[role if node else "nobody"].append(1e3 * seconds / rounds)
    figures = {role: round(statistics.mean(all_of), 1) for role, all_of in spent.items() if role != "nobody" and all_of}
    return {**figures, "scheduling, per peer": round(sum(spent["nobody"]) / len(names), 1)}


def account(samples: list[Event], node: str, at: float) -> float:
    """A node's CPU seconds at a time, interpolated between samples."""
    flat = [Event(each.at, each.node, each.name, {"s": each.fields["seconds"].get(node, 0.0)}) for each in samples]
    return at_time(flat, at, "s")


def at_time(samples: list[Event], at: float, field: str) -> float:
    """A counter's value at a time, interpolated between samples."""
    before = max((each for each in samples if each.at <= at), key=lambda each: each.at, default=samples[0])
    behind = min((each for each in samples if each.at > at), key=lambda each: each.at, default=before)
    share = (at - before.at) / (behind.at - before.at) if behind.at > before.at else 0.0
    value: float = before.fields[field] + share * (behind.fields[field] - before.fields[field])
    return value


def contributors(events: list[Event], peers: int) -> list[str]:
    """Of each round: how many of the peers are in the opened sums."""
    counted: dict[int, set[str]] = {}
    for event in events:
        if event.name == "opened":
            counted.setdefault(event.fields["height"], set()).update(event.fields["contributors"])
    return [f"{len(found)}/{peers}" for _, found in sorted(counted.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=int, nargs="+", default=[64])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--stock-messages", type=int, default=60, help="fewer for stock py-libp2p, which may take long")
    parser.add_argument("--rates", action="store_true", help="also seek the highest rate without loss")
    parser.add_argument("--stock", action="store_true", help="stock py-libp2p too")
    parser.add_argument("--rounds", type=int, default=0, help="whole rounds by simnet instead of hosts alone")
    parser.add_argument("--json", type=Path)
    arguments, extra = parser.parse_known_args()
    results: Figures = {}
    for peers in arguments.peers:
        if arguments.rounds:
            results[f"rounds, {peers} peers"] = measure_rounds(peers, arguments.rounds, arguments.processes, extra)
        for stack in ("ours", "stock") if arguments.stock else ("ours",):
            if not arguments.rounds:
                messages = arguments.messages if stack == "ours" else arguments.stock_messages
                results[f"{stack}, {peers} peers"] = measure_hosts(
                    stack, peers, arguments.processes, messages, arguments.rates
                )
        print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
