"""What strikes the running shop. Each fault strikes, may last, and ends; what it needs is left as it was found."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import libfaketime
import psutil
import redis

from tests import stack
from tests.processes import of_folder, until
from tests.shop import Shop

CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "quantasneaks"]
FROZEN_FOR = 30.0  # seconds that Redis does not move
DISK = "200m"  # that the mails get
LASTS = 8.0  # seconds of a fault that lasts
OF_PAYLAB = (
    ("slow", "--rate", "0.5", "--delay", "2"),
    ("error_after", "--rate", "0.3"),
    ("webhook_lost", "--rate", "0.5"),
)


@dataclass(frozen=True)
class Fault:
    """`strike` returns when the worst is over; what comes then is recovery. `share`: of all faults, as a weight."""

    name: str
    strike: Callable[[Shop, random.Random], None]
    share: int


def living(shop: Shop, part: str) -> psutil.Process:
    """The process under the supervisor with this in its command line; waits until it has come up again."""
    return psutil.Process(until(lambda: shop.child(part), f"a process {part}", within=60))


def killed(part: str) -> Callable[[Shop, random.Random], None]:
    """A process of the shop gets SIGKILL."""

    def strike(shop: Shop, dice: random.Random) -> None:
        living(shop, part).kill()

    return strike


def told(part: str, how: signal.Signals) -> Callable[[Shop, random.Random], None]:
    """A server is told to end, and is started again by the supervisor."""

    def strike(shop: Shop, dice: random.Random) -> None:
        victim = living(shop, part)
        victim.send_signal(how)
        with suppress(psutil.TimeoutExpired):
            victim.wait(30)

    return strike


def child_killed(part: str) -> Callable[[Shop, random.Random], None]:
    """One of a process's own children gets SIGKILL: a pool process, a web worker, a back end of PostgreSQL."""

    def strike(shop: Shop, dice: random.Random) -> None:
        if found := sorted(living(shop, part).children(), key=lambda child: child.pid):
            with suppress(psutil.NoSuchProcess):
                dice.choice(found).kill()

    return strike


def redis_forgets(shop: Shop, dice: random.Random) -> None:
    with suppress(redis.RedisError):  # it is just coming up: it has nothing to forget
        shop.broker().flushall()


def redis_freezes(shop: Shop, dice: random.Random) -> None:
    with frozen(living(shop, "valkey")):
        time.sleep(FROZEN_FOR)


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def clock_steps(shop: Shop, dice: random.Random) -> None:
    """A second worker beside the first, whose clock jumps by minutes in the middle of its work."""
    ahead = shop.folder / "ahead"
    ahead.write_text("+0")
    environment = {
        "FAKETIME_TIMESTAMP_FILE": str(ahead),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    } | dict(libfaketime.get_reload_information()[1])
    environment = {name: value for name, value in environment.items() if name != "FAKETIME"}
    worker = [*CELERY, "worker", "-Q", "sweep,orders", "-c", "1", "-n", "misled@%h", "--without-gossip"]
    with beside(shop, worker, **environment):
        time.sleep(LASTS / 2)
        ahead.write_text(f"{dice.choice([-15, -5, 5, 15]):+}m")
        time.sleep(LASTS)


def three_beats(shop: Shop, dice: random.Random) -> None:
    with beside(shop, [*CELERY, "beat"]), beside(shop, [*CELERY, "beat"]):
        time.sleep(LASTS)


@contextmanager
def beside(shop: Shop, command: list[str], **environment: str) -> Iterator[None]:
    """A process more, until the block ends; it is killed then."""
    with (shop.folder / "logs" / "beside.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=stack.ROOT, env=shop.env | environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def disk_is_full(shop: Shop, dice: random.Random) -> None:
    """The mails' disk shrinks to what it holds."""
    mails = shop.folder / "mails"
    try:
        assert any(shrunk(mails) for _ in range(20))
        time.sleep(LASTS)
    finally:
        subprocess.run(["mount", "-o", f"remount,size={DISK}", str(mails)], check=True)


def shrunk(mails: Path) -> bool:
    """False: a mail came between the look and the shrinking, and no disk can be smaller than what it holds."""
    disk = os.statvfs(mails)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    command = ["mount", "-o", f"remount,size={max(used, disk.f_frsize)}", str(mails)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def own_disk(shop: Shop) -> Iterator[None]:
    """Give the mails a disk of their own. Only in a mount namespace of this process: it ends with it."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "none", str(shop.folder / "mails")], check=True
    )
    try:
        yield
    finally:  # a mounted folder could not be deleted
        subprocess.run(["umount", "--lazy", str(shop.folder / "mails")], check=True)


def provider_goes_wrong(shop: Shop, dice: random.Random) -> None:
    """Slow answers, answers that fail after the deed, webhooks that are lost."""
    assert shop.manage("paylab", "fault", *dice.choice(OF_PAYLAB), "--seed", str(dice.randrange(1000))).returncode == 0
    time.sleep(LASTS)
    assert until(lambda: shop.manage("paylab", "clear").returncode == 0, "PayLab's faults cleared")


def everything_dies(shop: Shop, dice: random.Random) -> None:
    """A power cut: every process gets SIGKILL, and the merchant types `make run` again."""
    shop.process.kill()
    shop.process.wait()
    for pid in of_folder(shop.folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not of_folder(shop.folder), "the end of all processes")
    ports = {name: shop.env[name] for name in ("PORT", "FLOWER_PORT")}
    again = stack.start(shop.folder, **(shop.env | ports))
    shop.process = again.process
    shop.wait_ready()


POSTGRES = "bin/postgres"
WORKER = "-n worker@"
FAULTS = [
    Fault("web killed", killed("-m granian"), 8),
    Fault("web worker killed", child_killed("-m granian"), 8),
    Fault("worker killed", killed(WORKER), 16),
    Fault("pool process killed", child_killed(WORKER), 16),
    Fault("mailer killed", killed("-n mailer@"), 8),
    Fault("relay killed", killed("manage.py relay"), 8),
    Fault("beat killed", killed("quantasneaks beat"), 8),
    Fault("PayLab's courier killed", killed("paylab_courier"), 4),
    Fault("PostgreSQL restarted, fast", told(POSTGRES, signal.SIGINT), 6),
    Fault("PostgreSQL restarted, immediate", told(POSTGRES, signal.SIGQUIT), 6),
    Fault("PostgreSQL's back end killed", child_killed(POSTGRES), 6),
    Fault("Redis killed", killed("valkey"), 8),
    Fault("Redis restarted", told("valkey", signal.SIGTERM), 6),
    Fault("Redis emptied", redis_forgets, 8),
    Fault("Redis frozen for 30 s", redis_freezes, 2),
    Fault("a worker's clock steps", clock_steps, 4),
    Fault("three beats", three_beats, 4),
    Fault("mails' disk full", disk_is_full, 4),
    Fault("provider goes wrong", provider_goes_wrong, 4),
    Fault("everything killed", everything_dies, 2),
]


def schedule(seed: int, strikes: int, *, disk: bool) -> list[Fault]:
    """Each fault at least once, as long as there is room; the rest by their shares, in the seed's order."""
    dice = random.Random(seed)
    kinds = [fault for fault in FAULTS if disk or fault.strike != disk_is_full]
    more = dice.choices(kinds, [fault.share for fault in kinds], k=max(0, strikes - len(kinds)))
    drawn = [*dice.sample(kinds, k=min(strikes, len(kinds))), *more]
    dice.shuffle(drawn)
    return drawn
