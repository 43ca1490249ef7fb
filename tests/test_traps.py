"""The traps of Celery, Redis and Django (docs/traps.md), by number: those that a setting or the source shows shut.

Those that only killed processes show shut are in test_whole_shop.py and test_engine.py; docs/traps.md says where.
"""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.signals import before_task_publish
from django.conf import settings

from orders import tasks
from orders.bell import ring
from orders.states import MAILS, Step
from quantasneaks import embedded
from quantasneaks.celery import app
from quantasneaks.paths import DataDir

ROOT = Path(__file__).parent.parent
SOURCE = {
    path.relative_to(ROOT): path.read_text()
    for package in ("orders", "fulfillment", "quantasneaks")
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
}


def lines_with(pattern: str) -> list[str]:
    return [
        f"{path}: {line.strip()}"
        for path, text in SOURCE.items()
        for line in text.splitlines()
        if re.search(pattern, line)
    ]


def test_t01_no_message_carries_a_time_before_which_it_sleeps():
    sent: list[dict[str, Any]] = []

    def look(headers: dict[str, Any], **_: Any) -> None:
        sent.append(headers)

    redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket", "unix")).flushdb()  # what nobody heard, silences
    before_task_publish.connect(look)
    try:
        ring(Step)
    finally:
        before_task_publish.disconnect(look)
    assert {message["eta"] for message in sent} == {None}
    assert lines_with(r"\b(eta|countdown)=|apply_async|\.retry\(") == []


def test_t02_t03_t04_messages_are_acknowledged_late_and_come_back_soon():
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    options = app.conf.broker_transport_options
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (2, 1)
    assert app.conf.task_time_limit <= options["visibility_timeout"] <= 120


def test_t06_t15_the_broker_writes_to_its_file_and_evicts_nothing():
    broker = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket", "unix"))
    assert broker.config_get("appendonly") == {"appendonly": "yes"}
    assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert "noeviction" in embedded.valkey_command(DataDir(Path("data")))


def test_t07_nothing_hangs_on_a_callback_after_the_commit():
    assert lines_with(r"on_commit") == []


def test_t08_only_the_relay_and_the_tasks_publish_and_never_for_long():
    publishers = {line.split(":")[0] for line in lines_with(r"\bring\(|send_task|\.delay\(")}
    assert publishers == {
        "orders/bell.py",
        "orders/engine.py",
        "orders/tasks.py",
        "orders/management/commands/relay.py",
    }
    options = app.conf.broker_transport_options
    assert options["socket_connect_timeout"] <= 1
    assert options["socket_timeout"] <= 5


def test_t11_one_time_zone_and_intervals_only():
    assert settings.USE_TZ
    assert (settings.TIME_ZONE, app.conf.timezone, app.conf.enable_utc) == ("UTC", "UTC", True)
    assert not any(hasattr(entry["schedule"], "hour") for entry in app.conf.beat_schedule.values())


def test_t12_sleeping_messages_are_bounded():
    assert app.conf.worker_eta_task_limit == 1000


@pytest.mark.parametrize("package", ["celery", "kombu"])
def test_t13_the_broker_client_is_one_that_comes_back(package: str):
    assert tuple(map(int, version(package).split(".")[:2])) >= (5, 7)


def test_t14_a_task_ends_with_its_connection():
    assert app.conf.worker_cancel_long_running_tasks_on_connection_loss


def test_t16_pool_processes_are_replaced_before_they_grow():
    assert app.conf.worker_max_tasks_per_child == 10_000
    assert app.conf.worker_max_memory_per_child == 400_000


def test_t17_there_is_no_result_to_keep():
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None


def test_t18_mails_have_a_queue_of_their_own_and_nothing_has_a_priority():
    queues = {step: app.amqp.router.route({}, tasks.TASKS[step].name)["queue"].name for step in Step}
    assert {step for step, queue in queues.items() if queue == "mails"} == set(MAILS)
    assert app.conf.worker_prefetch_multiplier == 1
    assert lines_with(r"\bpriority=") == []


def test_t19_no_canvas():
    assert lines_with(r"from celery import .*\b(chain|chord|group)\b|\.(si|s)\(\)|link_error") == []


def test_t20_the_state_moves_through_the_state_machine_only():
    """A pair's state is no state machine; an order's is, and `update` would pass it by."""
    moved = [line for line in lines_with(r"\.update\([^)]*\bstate=") if "Pair.objects" not in line]
    assert moved == []


def test_t21_one_package_of_the_two():
    assert version("django-fsm-2")
    with pytest.raises(PackageNotFoundError):
        version("django-fsm")
