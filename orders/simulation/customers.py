"""What a customer does: claim a pair, pay or not, and watch the order to its end."""

import asyncio
from typing import Any

import httpx

from orders.simulation.people import Person
from orders.simulation.sale import Sale
from orders.simulation.shop import Shop, Trouble, refusal
from orders.states import FINAL, State

LOOKS_A_SECOND = 50  # of all customers together
SHORTEST_PAUSE = 0.5  # seconds between two looks of one customer


async def buy(person: Person, sale: Sale, shop: Shop) -> None:
    await asyncio.sleep(person.arrives)
    order_id = await claim(person, sale, shop)
    if order_id:
        await follow(person, sale, shop, order_id)
    sale.progress.step()


async def claim(person: Person, sale: Sale, shop: Shop) -> str | None:
    """The order's id; None where the shop refused. A size that is sold out is not the end: another may do."""
    code = ""
    for size in person.sizes:
        answer = await shop.send(
            "POST",
            "/orders/",
            json={**person.form, "size": size},
            headers={**person.headers, "Idempotency-Key": f"{sale.plan.run}-{person.index}-{size}"},
        )
        if answer.status_code == 201:
            placed: dict[str, Any] = answer.json()
            sale.place(person, placed)
            return str(placed["orderId"])
        code = refusal(answer)
        if code != "sold_out":
            break
    sale.refused[code] += 1
    return None


async def follow(person: Person, sale: Sale, shop: Shop, order_id: str) -> None:
    status = await watch(person, sale, shop, order_id, leaves=(State.PROCESSING,))
    if status["status"] == State.AWAITING_PAYMENT:
        if person.cards:
            await pay(person, shop, status["paymentUrl"])
        else:
            await asyncio.sleep(sale.plan.time_to_pay)
    await watch(person, sale, shop, order_id, leaves=[state for state in State if state not in FINAL])


async def pay(person: Person, shop: Shop, url: str) -> None:
    """Try one card after the other. Whether it worked is seen on the order, as an answer may be lost here too."""
    page = httpx.URL(url).raw_path.decode()  # the public address need not lead anywhere from here
    for card in person.cards:
        answer = await shop.send("POST", page, data={"card": card}, headers=person.headers)
        if answer.status_code == 303:
            return


async def watch(
    person: Person, sale: Sale, shop: Shop, order_id: str, *, leaves: "tuple[State, ...] | list[State]"
) -> dict[str, Any]:
    """Look until the order has left these states.

    More often than a page would, because the reviewers here decide within seconds; so few looks a second in all that
    they do not slow the shop.
    """
    etag = ""
    while sale.orders[order_id]["status"] in leaves:
        await asyncio.sleep(max(SHORTEST_PAUSE, len(sale.open) / LOOKS_A_SECOND))
        answer = await shop.send("GET", f"/orders/{order_id}/status", headers={**person.headers, "If-None-Match": etag})
        if answer.status_code == 200:
            etag = answer.headers.get("ETag", "")
            sale.see(answer.json())
        elif answer.status_code != 304:
            raise Trouble(f"An order's status answers {answer.status_code}.")
    return sale.orders[order_id]
