"""The whole sale, from the first claim until the last order is final."""

import asyncio
import time

from orders.simulation.customers import buy
from orders.simulation.people import Plan, cast
from orders.simulation.progress import Progress
from orders.simulation.report import Report, report_on
from orders.simulation.reviewers import REVIEWERS, review
from orders.simulation.sale import Sale
from orders.simulation.shop import Shop, Trouble

CONNECTIONS = 50


async def rehearse(plan: Plan, *, base: str, password: str, quiet: bool) -> tuple[Report, str]:
    """What happened, and why it was broken off (empty where every order is final)."""
    progress = Progress(plan.customers, quiet=quiet)
    sale = Sale(plan, progress)
    started = time.monotonic()
    trouble = ""
    try:
        async with asyncio.timeout(plan.limit):
            await open_doors(sale, base=base, password=password)
    except* Trouble as troubles:
        trouble = str(troubles.exceptions[0])
    except* TimeoutError:
        trouble = f"After {plan.limit:.0f} s {len(sale.open)} orders are not final."
    finally:
        progress.close()
    return report_on(sale, seconds=time.monotonic() - started), trouble


async def open_doors(sale: Sale, *, base: str, password: str) -> None:
    async with (
        Shop(base, connections=CONNECTIONS) as shop,
        Shop(base, connections=1, cookies=True) as desk,
        Shop(base, connections=1, cookies=True) as second_desk,
        asyncio.TaskGroup() as people,
    ):
        reviewers = [
            people.create_task(review(name, password, sale, door))
            for name, door in zip(REVIEWERS, (desk, second_desk), strict=True)
        ]
        await asyncio.wait([people.create_task(buy(person, sale, shop)) for person in cast(sale.plan)])
        for reviewer in reviewers:
            reviewer.cancel()
