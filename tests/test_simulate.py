"""The rehearsal: a whole sale over HTTP, and what it refuses to begin."""

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from orders import workflow
from orders.audit import audit
from orders.engine import run_due
from orders.models import Drop, Order
from orders.simulation.people import Person, Plan, cast
from orders.simulation.reviewers import REVIEWERS
from orders.simulation.shop import Shop, Trouble
from orders.states import PairState, State, Step
from orders.sweep import sweep
from tests.life import deliver_webhooks, open_drop, strangers  # noqa: F401

PUBLIC_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SIZES = {"9": 3, "10.5": 1}


def people(*, seed: int = 7, run: str = "run", count: int = 400, **rates: float) -> list[Person]:
    return cast(Plan(customers=count, sizes=SIZES, seed=seed, run=run, time_to_pay=60, **rates))


class TestPeople:
    def test_the_seed_decides_what_everybody_does(self) -> None:
        def habits(**changes: Any) -> list[Any]:
            crowd = people(decline_rate=0.3, reject_rate=0.3, abandon_rate=0.3, **changes)
            return [(who.sizes, who.arrives, who.cards, who.rejected) for who in crowd]

        assert habits(run="one") == habits(run="two")
        assert habits(seed=1) != habits(seed=2)

    def test_two_runs_and_two_people_of_one_run_do_not_meet(self) -> None:
        crowd = [*people(run="one"), *people(run="two")]
        assert len({who.form["email"] for who in crowd}) == len(crowd)
        assert len({(who.form["line1"], who.form["line2"], who.form["postcode"]) for who in crowd}) == len(crowd)
        assert len({who.address for who in people()}) == 400

    def test_rates_are_shares_of_the_customers(self) -> None:
        crowd = people(decline_rate=0.25, reject_rate=0.5, abandon_rate=0.1, count=2000)
        cards = Counter(len(who.cards) for who in crowd)
        assert cards[0] == pytest.approx(200, rel=0.3)
        assert cards[2] == pytest.approx(0.25 * 1800, rel=0.3)
        assert sum(who.rejected for who in crowd) == pytest.approx(1000, rel=0.2)

    def test_without_rates_all_come_at_once_and_pay_and_are_approved(self) -> None:
        assert {(who.arrives, len(who.cards), who.rejected) for who in people()} == {(0.0, 1, False)}

    def test_where_some_abandon_the_last_ones_come_when_pairs_are_back(self) -> None:
        arrivals = [who.arrives for who in people(abandon_rate=0.2)]
        assert 60 < max(arrivals) < 70
        assert sum(at < 10 for at in arrivals) > 80 < sum(at > 60 for at in arrivals)

    def test_everybody_would_take_any_size_and_most_want_the_usual_one(self) -> None:
        crowd = people()
        assert {frozenset(who.sizes) for who in crowd} == {frozenset(SIZES)}
        assert Counter(who.sizes[0] for who in crowd)["9"] == pytest.approx(300, rel=0.2)

    def test_mail_goes_to_nobody(self) -> None:
        assert all(who.form["email"].endswith("@example.com") for who in people())


class TestRefusals:
    @pytest.mark.parametrize(
        "option", ["--decline-rate=1.1", "--reject-rate=-0.1", "--abandon-rate=nan", "--customers=0"]
    )
    def test_an_impossible_number_is_refused(self, option: str) -> None:
        with pytest.raises(CommandError, match=option.split("=")[0]):
            call_command("simulate", option)

    def test_a_shop_that_does_not_answer_is_one_line_and_exit_2(self, settings: Settings) -> None:
        settings.INTERNAL_URL = "http://127.0.0.1:9"
        with pytest.raises(CommandError, match=r"does not answer at http://127\.0\.0\.1:9 ") as refusal:
            call_command("simulate")
        assert refusal.value.returncode == 2
        assert "\n" not in str(refusal.value)

    def test_a_long_time_to_pay_asks_for_wait(self, settings: Settings) -> None:
        settings.PAYMENT_TIMEOUT = timedelta(minutes=11)
        with pytest.raises(CommandError, match="--wait") as refusal:
            call_command("simulate", "--abandon-rate=0.1")
        assert refusal.value.returncode == 2

    def test_only_the_demo_can_be_simulated(self, settings: Settings) -> None:
        settings.DEMO = False
        with pytest.raises(CommandError, match="demo") as refusal:
            call_command("simulate", "--new-drop")
        assert refusal.value.returncode == 2


class TestUnreliableShop:
    def ask(self, *answers: httpx.Response | Exception) -> tuple[httpx.Response, list[httpx.Request]]:
        """What a claim gets where the shop answers like this, and every request that was sent for it."""
        coming, sent = iter(answers), []

        def answer(request: httpx.Request) -> httpx.Response:
            sent.append(request)
            word = next(coming)
            if isinstance(word, Exception):
                raise word
            return word

        async def claim() -> httpx.Response:
            async with Shop("http://shop.example", connections=1) as shop:
                shop.client = httpx.AsyncClient(base_url="http://shop.example", transport=httpx.MockTransport(answer))
                return await shop.send("POST", "/orders/", headers={"Idempotency-Key": "one"})

        return asyncio.run(claim()), sent

    def test_a_lost_answer_is_asked_for_with_the_same_key(self) -> None:
        answer, sent = self.ask(httpx.ReadError("lost"), httpx.Response(502), httpx.Response(201))
        assert answer.status_code == 201
        assert [request.headers["Idempotency-Key"] for request in sent] == ["one"] * 3

    def test_who_is_asked_to_slow_down_comes_back(self) -> None:
        answer, sent = self.ask(httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(409))
        assert (answer.status_code, len(sent)) == (409, 2)

    def test_a_shop_that_is_gone_for_good_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("orders.simulation.shop.PATIENCE", 0)
        with pytest.raises(Trouble, match=r"stopped answering \(ConnectError\)"):
            self.ask(httpx.ConnectError("refused"))


@pytest.fixture
def shop(strangers: LiveServer, settings: Settings) -> Iterator[LiveServer]:  # noqa: F811
    """The whole shop in this process: web, and one worker that also sweeps and delivers."""
    settings.CLAIM_RATE = 2  # a minute, for each address: everybody has an own one, and no sale here has more sizes
    settings.STAFF_PASSWORD = "a long enough password"
    for name in REVIEWERS:
        User.objects.create_superuser(name, password=settings.STAFF_PASSWORD)
    closing = threading.Event()

    def work() -> None:
        try:
            while not closing.wait(0.05):
                sweep()
                deliver_webhooks()
                for step in Step:
                    run_due([step], workflow.undo_order)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    yield strangers
    closing.set()
    worker.join()


def simulate(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    call_command("simulate", "--json", *options)
    shown = capsys.readouterr()
    report: dict[str, Any] = json.loads(shown.out)
    return report


def test_it_works(shop: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    open_drop({"9": 3, "10": 2})
    report = simulate(capsys, "--customers=8", "--seed=1")
    assert {name: report[name] for name in ("customers", "seed", "accepted", "refused", "pairs_sold")} == {
        "customers": 8,
        "seed": 1,
        "accepted": 5,
        "refused": {"sold_out": 3},
        "pairs_sold": 5,
    }
    assert (report["by_status"], report["by_outcome"], report["released_pairs_taken"]) == ({"shipped": 5}, {}, 0)
    assert Order.objects.filter(state=State.SHIPPED).count() == 5
    assert audit().violations == []


def test_the_declined_try_again_and_the_rejected_end_as_rejected(
    shop: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    open_drop({"9": 4})
    report = simulate(capsys, "--customers=4", "--decline-rate=1", "--reject-rate=1")
    assert report["by_outcome"]["rejected"] == report["by_status"]["compensated"] == report["accepted"]
    assert audit().violations == []


def test_pairs_of_those_who_abandon_find_other_takers(
    shop: LiveServer, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.PAYMENT_TIMEOUT = timedelta(seconds=3)
    drop = open_drop({"9": 2})
    report = simulate(capsys, "--customers=12", "--abandon-rate=1", "--seed=1")
    assert report["released_pairs_taken"] == report["accepted"] - 2 > 0
    assert report["by_status"] == {"compensated": report["accepted"]}
    assert report["by_outcome"]["payment_timeout"] > 0
    assert drop.pairs.filter(state=PairState.ON_SALE).count() == 2


def test_other_peoples_orders_are_left_alone(shop: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.life import paid_order

    theirs = paid_order(open_drop({"9": 2}))
    simulate(capsys, "--customers=1")
    theirs.refresh_from_db(fields=["outcome"])
    assert Order.objects.get(pk=theirs.pk).state == State.AWAITING_APPROVAL


def test_the_report_for_people_names_no_order(shop: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    open_drop({"9": 1})
    call_command("simulate", "--customers=2")
    shown = capsys.readouterr()
    assert re.search(r"pairs sold +1\n", shown.out)
    assert "2 of 2 customers are through" in shown.err
    assert not PUBLIC_ID.search(shown.out + shown.err)


def test_a_sale_that_is_over_or_sold_out_is_refused(shop: LiveServer) -> None:
    with pytest.raises(CommandError, match="no open sale") as refusal:
        call_command("simulate")
    assert refusal.value.returncode == 2
    drop = open_drop()
    drop.pairs.update(state=PairState.HELD)
    with pytest.raises(CommandError, match="No pair is on sale") as refusal:
        call_command("simulate")
    assert refusal.value.returncode == 2


def test_a_new_drop_can_be_opened_first(shop: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    report = simulate(capsys, "--new-drop", "--customers=1")
    assert report["pairs_sold"] == 1
    assert Drop.objects.get().pairs.count() == 500


def test_a_reviewer_who_cannot_log_in_ends_it_with_exit_1(
    shop: LiveServer, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    open_drop({"9": 1})
    settings.STAFF_PASSWORD = "not theirs"
    with pytest.raises(CommandError, match=r"does not let staff2? log in") as trouble:
        simulate(capsys, "--customers=1")
    assert trouble.value.returncode == 1
