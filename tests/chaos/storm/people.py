"""The crowd: customers who buy, pay late or never, cancel; reviewers who approve, reject or forget."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from threading import Event
from typing import Any

from orders.simulation.customers import pay
from orders.simulation.people import CARD_THAT_IS_DECLINED, CARD_THAT_PAYS, Person, Plan, cast
from orders.simulation.reviewers import REVIEWERS, csrf, log_in
from orders.simulation.shop import Shop as Door
from orders.simulation.shop import Trouble, refusal
from orders.states import FINAL, State
from tests.shop import Shop
from tests.stack import PASSWORD

PAUSE = 0.8  # seconds between two looks of one customer, or of one reviewer
THINKS = 12.0  # seconds, at most, before a customer pays
CLICKS_TWICE = 0.1  # of the customers
MOST = 20_000  # customers
ENDS_WITHIN = 300.0  # seconds; both deadlines, the longest fault and the longest pause between two tries fit in


class Habit(StrEnum):
    """What a customer, or the reviewer of the order, is going to do; and the state that it must end in."""

    BUYS = "buys"
    FIRST_CARD_DECLINED = "first card declined"
    NEVER_PAYS = "never pays"
    CANCELS = "cancels"
    LIVES_NOWHERE = "the carrier refuses the address"
    REJECTED = "rejected"
    FORGOTTEN = "nobody decides"


SHARES = {
    Habit.BUYS: 70,
    Habit.FIRST_CARD_DECLINED: 6,
    Habit.NEVER_PAYS: 4,
    Habit.CANCELS: 5,
    Habit.LIVES_NOWHERE: 4,
    Habit.REJECTED: 8,
    Habit.FORGOTTEN: 3,
}


@dataclass
class Crowd:
    """Everybody, and what they have seen. `orders` is by the id that the shop gave.

    At least so many customers come, and more until `enough` is set.
    """

    shop: Shop
    customers: int
    at_once: int
    seed: int
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    habits: dict[str, Habit] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    enough: Event = field(default_factory=Event)
    done: Event = field(default_factory=Event)

    def come(self) -> None:
        """Until the last order is final; in a thread of its own."""
        try:
            asyncio.run(self._come())
        except* Trouble as troubles:
            self.trouble += [str(each) for each in troubles.exceptions]
        finally:
            self.done.set()

    @property
    def in_flight(self) -> int:
        return sum(order["status"] not in FINAL for order in list(self.orders.values()))

    @property
    def shipped(self) -> int:
        return sum(order["status"] == State.SHIPPED for order in self.orders.values())

    async def _come(self) -> None:
        plan = Plan(customers=MOST, sizes={"9": 1}, seed=self.seed, time_to_pay=0)
        dice = random.Random(self.seed)
        people = list(zip(cast(plan), dice.choices(list(SHARES), list(SHARES.values()), k=MOST), strict=True))
        following = count()
        async with asyncio.TaskGroup() as tasks:
            doors = [Door(self.shop.base, connections=1, cookies=True) for _ in REVIEWERS]
            reviewers = [
                tasks.create_task(self.review(name, door)) for name, door in zip(REVIEWERS, doors, strict=True)
            ]
            async with Door(self.shop.base, connections=self.at_once) as door:

                async def lane() -> None:
                    while (n := next(following)) < self.customers or (not self.enough.is_set() and n < MOST):
                        try:
                            async with asyncio.timeout(ENDS_WITHIN):
                                await self.buy(*people[n], door, random.Random(f"{self.seed} {n}"))
                        except TimeoutError:
                            self.trouble.append(f"customer {n} waited for {ENDS_WITHIN:.0f} s and saw no end")

                await asyncio.gather(*(lane() for _ in range(self.at_once)))
            for reviewer in reviewers:
                reviewer.cancel()

    async def buy(self, person: Person, habit: Habit, door: Door, dice: random.Random) -> None:
        """One customer, from the claim until the order is final."""
        form = {**person.form, "size": "9"}
        if habit == Habit.LIVES_NOWHERE:
            form["postcode"] = "REFUSE"
        headers = {**person.headers, "Idempotency-Key": f"storm {self.seed} {person.index}"}
        clicks = 2 if dice.random() < CLICKS_TWICE else 1
        claims = (door.send("POST", "/orders/", json=form, headers=headers) for _ in range(clicks))
        answer, *others = await asyncio.gather(*claims)
        for other in others:
            if other.json().get("orderId") != answer.json().get("orderId"):
                raise Trouble(f"Of two equal claims at once {answer.status_code} and {other.status_code} came back.")
        if answer.status_code != 201:
            self.refused[refusal(answer)] += 1
            return
        order_id = answer.json()["orderId"]
        self.habits[order_id] = habit
        self.orders[order_id] = answer.json()
        status = await self.watch(order_id, door, State.PROCESSING)
        if status["status"] == State.AWAITING_PAYMENT and habit != Habit.NEVER_PAYS:
            await asyncio.sleep(dice.uniform(0, THINKS))
            if habit == Habit.CANCELS:
                await door.send("POST", f"/orders/{order_id}/cancel", headers={"Accept": "application/json"})
            else:
                declined = (CARD_THAT_IS_DECLINED,) if habit == Habit.FIRST_CARD_DECLINED else ()
                payer = Person(**{**vars(person), "cards": (*declined, CARD_THAT_PAYS)})
                await pay(payer, door, status["paymentUrl"])
        await self.watch(order_id, door, *(state for state in State if state not in FINAL))

    async def watch(self, order_id: str, door: Door, *leaves: State) -> dict[str, Any]:
        """Look until the order has left these states."""
        while self.orders[order_id]["status"] in leaves:
            await asyncio.sleep(PAUSE)
            answer = await door.send("GET", f"/orders/{order_id}/status")
            if answer.status_code != 200:
                raise Trouble(f"An order that was claimed answers {answer.status_code}.")
            self.orders[order_id] = answer.json()
        return self.orders[order_id]

    async def review(self, name: str, door: Door) -> None:
        """Look at the desk and decide, until cancelled. A decision whose answer is lost is made again."""
        async with door:
            await log_in(name, PASSWORD, door)
            while True:
                answer = await door.send("GET", "/admin/review/", params={"format": "json"})
                if answer.status_code != 200:
                    raise Trouble(f"The review desk answers {name} with {answer.status_code}.")
                for waiting in answer.json()["reviews"]:
                    if (habit := self.habits.get(waiting["orderId"])) not in (None, Habit.FORGOTTEN):
                        await self.decide(waiting["orderId"], habit, door)
                await asyncio.sleep(PAUSE)

    async def decide(self, order_id: str, habit: Habit | None, door: Door) -> None:
        words = {"decision": "approve", "reason": "looks_genuine", "note": "seen in the storm"}
        if habit == Habit.REJECTED:
            words |= {"decision": "reject", "reason": "suspected_reseller"}
        headers = {**csrf(door), "Accept": "application/json"}
        answer = await door.send("POST", f"/admin/review/{order_id}/", data=words, headers=headers)
        if answer.status_code not in (200, 202, 404, 409):  # somebody was faster, or it is too late
            raise Trouble(f"The review desk refuses a decision with {answer.status_code}.")
