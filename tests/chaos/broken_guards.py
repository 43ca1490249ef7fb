"""`make guards`: take away each guard of the money in turn, in a copy of the source, and see which test notices.

A guard that nothing notices is either no guard or has no test; the command then ends with 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.schedules import NAMED, TEST

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Guard:
    """What protects, and the edit that takes it away."""

    name: str
    file: str
    there: str
    broken: str


GUARDS = [
    Guard(
        "each event is taken once",
        "orders/payments/webhooks.py",
        "    if new and order and look_at(order):\n        order.commit()\n    return new\n",
        "    if order and look_at(order):\n        order.commit()\n    return True\n",
    ),
    Guard(
        "the order's row is locked",
        "orders/models/order.py",
        "WHERE number = %(number)s FOR UPDATE",
        "WHERE number = %(number)s",
    ),
    Guard(
        "the page is closed before the pair is released",
        "orders/workflow.py",
        "    snapshot = close_page(order)\n    cause",
        "    snapshot = payment_provider().fetch(order.payment.session_ref)\n    cause",
    ),
    Guard(
        "a pair is kept while money may still come",
        "orders/workflow.py",
        "if order.payment_may_still_come():",
        "if False:",
    ),
    Guard(
        "a key names its action",
        "orders/models/payment.py",
        'else f"{self.order_id}:{action}"',
        'else f"{self.order_id}"',
    ),
    Guard(
        "a key stays the same for each try",
        "orders/models/payment.py",
        'else f"{self.order_id}:{action}"',
        'else f"{self.order_id}:{action}:{datetime.now()}"',
    ),
    Guard(
        "a key that was answered with a failure is spent",
        "orders/models/payment.py",
        "            self.spent_keys[action] = spent + 1\n",
        "",
    ),
    Guard(
        "the deadline asks the provider before it cancels",
        "orders/workflow.py",
        "    with lease.recording(*lease.rule.during) as order:\n        order.payment.note(snapshot, at=order.now)\n",
        "    with lease.recording(*lease.rule.during) as order:\n"
        "        if order.state == State.AWAITING_PAYMENT and callback and callback.deadline_at <= order.now:\n"
        '            undo_order(order, Outcome.PAYMENT_TIMEOUT, actor=Actor.BEAT, what="payment timed out", cause="")\n'
        "            return\n"
        "        order.payment.note(snapshot, at=order.now)\n",
    ),
    Guard(
        "a step records only in a state that it belongs to",
        "orders/engine.py",
        "            if order.state not in states:\n                raise Overtaken\n",
        "",
    ),
    Guard(
        "an undo is registered before its effect begins",
        "orders/models/order.py",
        "            self.undo.append(undo)\n",
        "            pass\n",
    ),
    Guard(
        "one step of an order at a time",
        "orders/engine.py",
        "WHERE pg_try_advisory_lock(%(space)s, {key}::int) LIMIT 1",
        "LIMIT 1",
    ),
    Guard(
        "only the exact amount pays an order",
        "orders/workflow.py",
        "if snapshot.state == PaymentState.AUTHORISED and snapshot.amount == order.payment.amount:",
        "if snapshot.state == PaymentState.AUTHORISED:",
    ),
    Guard(
        "what the provider took is looked at before it is called captured",
        "orders/workflow.py",
        "    if snapshot.state != PaymentState.CAPTURED or snapshot.captured != order.payment.amount:\n"
        '        raise Permanent(f"The provider says {snapshot.state} instead of captured.")\n',
        "",
    ),
    Guard(
        "a refund under way is not made again",
        "orders/workflow.py",
        "snapshot.captured > snapshot.refunded + snapshot.refund_pending",
        "snapshot.captured > snapshot.refunded",
    ),
    Guard(
        "late money goes back",
        "orders/payments/webhooks.py",
        "    State.COMPENSATED: Step.CHECK_PAYMENT,\n",
        "",
    ),
    Guard(
        "what no webhook brought is read from the provider's list",
        "orders/payments/webhooks.py",
        "            missed += note(event, body)\n",
        "            pass\n",
    ),
    Guard(
        "a decision after the deadline is refused",
        "orders/workflow.py",
        "if callback is None or callback.deadline_at <= order.now:",
        "if callback is None:",
    ),
    Guard(
        "after the approval the customer cannot cancel",
        "orders/workflow.py",
        "    if order.state not in CANCELLABLE:\n",
        "    if order.state in (State.SHIPPED, State.COMPENSATED, State.COMPENSATING):\n",
    ),
    Guard(
        "an event from the future is refused",
        "orders/payments/stripe.py",
        "abs(time.time() - signed_at)",
        "(time.time() - signed_at)",
    ),
]


def main() -> int:
    wanted = sys.argv[1:]
    survived = []
    for guard in GUARDS:
        if wanted and not any(word in guard.name for word in wanted):
            continue
        with tempfile.TemporaryDirectory(prefix="qs-guards-") as folder:
            copy = Path(folder, "shop")
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "var"))
            take_away(guard, copy)
            noticed = {"schedules": first_failure(copy, [TEST]), "named tests": first_failure(copy, NAMED)}
        print(f"{guard.name}:", *[f"{by}: {test or '-'};" for by, test in noticed.items()], flush=True)
        if not any(noticed.values()):
            survived.append(guard.name)
    print(f"unnoticed: {', '.join(survived) or 'none'}")
    return int(bool(survived))


def take_away(guard: Guard, copy: Path) -> None:
    file = copy / guard.file
    text = file.read_text()
    if text.count(guard.there) != 1:
        raise SystemExit(f"{guard.name}: {guard.file} no longer has its line once")
    file.write_text(text.replace(guard.there, guard.broken))


def first_failure(copy: Path, tests: list[str]) -> str:
    """The first test that fails there; empty if none does."""
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "--show-capture=no", *tests],
        cwd=copy,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) \S+::(\S+)", told.stdout, re.MULTILINE)
    return found.group(1) if found else told.stdout[-300:] + told.stderr[-300:]


if __name__ == "__main__":
    sys.exit(main())
