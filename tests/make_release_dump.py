"""Makes the SQL dump of a small shop with orders in every state; each release leaves one under tests/releases/.

    python -m pytest tests/make_release_dump.py

The name carries the release's commit. tests/test_upgrade.py then proves, for good, that newer code finishes these
orders. Not collected by `make test`: it is a tool that happens to need the tests' servers.
"""

import subprocess
from pathlib import Path

import pytest

from orders import workflow
from orders.engine import run_due
from orders.models import Order
from orders.states import MAILS, State, Step
from tests.life import a_claim, approve, deliver_webhooks, open_drop, pay, place, reject, settle
from tests.test_upgrade import RELEASES, SHOP_ID, run_client

ROOT = Path(__file__).parent.parent


def do(*steps: Step) -> None:
    for step in steps:
        run_due([step], workflow.undo_order)


@pytest.mark.usefixtures("strangers")
def test_make_the_dump(settings):
    settings.SHOP_ID = SHOP_ID
    drop = open_drop({"8": 5, "9": 20})

    def in_review(**changes: str) -> Order:
        order = place(drop, a_claim(**changes))
        do(Step.SCORE_RISK, Step.OPEN_PAYMENT)
        pay(order)
        deliver_webhooks()
        do(Step.CHECK_PAYMENT)
        return order

    approve(in_review())
    reject(in_review())
    approve(in_review(postcode="REFUSE"))
    settle()  # one shipped, one voided, one refunded: all final, all told

    for back in (True, False):
        order = in_review()
        if back:
            reject(order)
            continue
        approve(order)  # approved, not captured
    order = in_review()
    approve(order)
    do(Step.CAPTURE_PAYMENT)  # approved or captured, not shipped; the rejected one above is still on its way back
    in_review()
    order = place(drop)
    do(Step.SCORE_RISK, Step.OPEN_PAYMENT)  # waits for its payment
    workflow.cancel_order(public_id=place(drop).public_id)  # cancelled before anything was opened
    place(drop)  # claimed, not even scored
    do(*MAILS[:1])

    states = set(Order.objects.values_list("state", flat=True))
    assert states == set(State)
    ask = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(ask, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    path = RELEASES / f"{commit}.sql"
    lines = run_client("pg_dump", "--inserts", "--no-owner", "--no-privileges").splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("\\")) + "\n")
