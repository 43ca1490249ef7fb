"""What a running shop uses up: CPU of all its processes, PostgreSQL's transactions and WAL, Valkey's messages."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.processes import of_folder
from tests.shop import Shop

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Its own, and that of its children which have ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / TICK
    return 0.0


def machine_seconds() -> float:
    """CPU that the whole machine was busy for."""
    user, nice, system, _idle, _wait, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / TICK


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; the difference of two is what happened in between."""

    cpu: dict[str, float]
    machine: float
    commits: int
    write_transactions: int
    wal_bytes: int
    messages: int

    @classmethod
    def of(cls, shop: Shop) -> "Reading":
        with psycopg.connect(f"postgresql://postgres@/quantasneaks?host={shop.folder / 'run'}") as connection:
            row = connection.execute(
                "SELECT xact_commit, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
                " pg_current_wal_insert_lsn() - '0/0' FROM pg_stat_database WHERE datname = 'quantasneaks'"
            ).fetchone()
        assert row
        pushed = shop.broker().info("commandstats").get("cmdstat_lpush", {"calls": 0})
        cpu: dict[str, float] = {}
        for pid, command in of_folder(shop.folder).items():
            cpu[kind(command)] = cpu.get(kind(command), 0) + cpu_seconds(pid)
        return cls(cpu, machine_seconds(), int(row[0]), int(row[1]), int(row[2]), int(pushed["calls"]))


def kind(command: str) -> str:
    """Which part of the shop a process is."""
    for word, name in {
        "postgres": "PostgreSQL",
        "valkey": "Valkey",
        "granian": "web",
        "mailer@": "mailer",
        "worker@": "worker",
        "relay": "relay",
        "beat": "beat",
        "flower": "Flower",
    }.items():
        if word in command:
            return name
    return "the rest"
