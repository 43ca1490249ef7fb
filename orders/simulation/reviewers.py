"""What a reviewer does: log in, look at the desk, and decide this sale's orders; other people's are left alone."""

import asyncio

from orders.simulation.sale import Sale
from orders.simulation.shop import Shop, Trouble, refusal

REVIEWERS = ("staff", "staff2")
PAUSE = 1.0  # seconds between two looks at the desk
NOTE = "Decided in a simulated sale."  # needed wherever a decision goes against the score


async def review(name: str, password: str, sale: Sale, shop: Shop) -> None:
    """Work until cancelled."""
    await log_in(name, password, shop)
    approved: set[str] = set()  # by this reviewer, and waiting for a colleague's word
    while True:
        answer = await shop.send("GET", "/admin/review/", params={"format": "json"})
        if answer.status_code != 200:
            raise Trouble(f"The review desk answers {name} with {answer.status_code}.")
        for waiting in answer.json()["reviews"]:
            order_id = waiting["orderId"]
            if order_id not in sale.customers or order_id in sale.taken or order_id in approved:
                continue
            sale.taken.add(order_id)
            word = await decide(order_id, sale, shop)
            if word == "second_approval_needed":
                approved.add(order_id)
            if word in ("second_approval_needed", "locked"):
                sale.taken.remove(order_id)
        await asyncio.sleep(PAUSE)


async def log_in(name: str, password: str, shop: Shop) -> None:
    await shop.send("GET", "/admin/login/")  # for the CSRF cookie
    answer = await shop.send("POST", "/admin/login/", data={"username": name, "password": password}, headers=csrf(shop))
    if answer.status_code != 302:
        raise Trouble(f"The shop does not let {name} log in. Give this command the shop's QS_STAFF_PASSWORD.")


async def decide(order_id: str, sale: Sale, shop: Shop) -> str:
    """The desk's word; empty where the decision stands."""
    if sale.customers[order_id].rejected:
        words = {"decision": "reject", "reason": "suspected_reseller", "note": NOTE}
    else:
        words = {"decision": "approve", "reason": "looks_genuine", "note": NOTE}
    answer = await shop.send(
        "POST", f"/admin/review/{order_id}/", data=words, headers={**csrf(shop), "Accept": "application/json"}
    )
    if answer.status_code == 200:
        return ""
    if answer.status_code == 202:
        return "second_approval_needed"
    if answer.status_code in (404, 409):  # somebody was faster, or holds it
        return refusal(answer)
    raise Trouble(f"The review desk refuses a decision with {answer.status_code}.")


def csrf(shop: Shop) -> dict[str, str]:
    return {"X-CSRFToken": shop.client.cookies.get("csrftoken") or ""}
