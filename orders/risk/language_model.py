"""Asks a language model behind an OpenAI-compatible API. What comes back is a stranger's: it is read, never believed.

Imported by the analyst's own process alone, see requirements-analyst.in.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from django.conf import settings
from openai import AsyncOpenAI
from pybreaker import CircuitBreaker
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orders.risk.explanation import Check
from orders.risk.rules import RULES

LONGEST = 300  # characters of a summary
breaker = CircuitBreaker(settings.ANALYST_FAILURES, settings.ANALYST_PAUSE.total_seconds())

MEANINGS = "\n".join(f"- {name}: {rule.text}" for name, rule in RULES.items())
CHECKS = "\n".join(f"- {check}: {check.label}" for check in Check)
INSTRUCTIONS = f"""\
You explain the score of an order in a sneaker sale to the person who decides about it. The score, 0 to 99, says how
likely the order is a reseller's; low is under 65, high from 75 on. You get it as JSON: the features that were measured,
and what the strongest of them contributed (above zero raised the score).
Write `summary`: two plain sentences, {LONGEST} characters at most, that say what moved the score and what an innocent
reason could be. Use the numbers given and no others. Do not judge: no word on whether to approve or reject.
Choose `evidence`: the features that the summary rests on. Choose `checks`: what is worth a look, three at most.
Features:
{MEANINGS}
Checks:
{CHECKS}"""


def fit_to_read(summary: str) -> str:
    """One line of visible characters: nothing that turns round or hides what stands beside it."""
    if not (0 < len(summary) <= LONGEST and summary.isprintable()):
        raise ValueError(f"a summary has {LONGEST} printable characters at most")
    return summary


class Answer(BaseModel):
    """What the model is asked for. The limit of the summary is not in the schema: few servers know it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    summary: Annotated[str, AfterValidator(fit_to_read)]
    evidence: list[Annotated[str, Field(json_schema_extra={"enum": [*RULES]})]]
    checks: list[Check]


def explain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Summary, evidence and checks. Raises whatever went wrong, CircuitBreakerError while the model is left alone."""
    return breaker.call(lambda: asyncio.run(within_time(facts)))  # type: ignore[no-any-return]


async def within_time(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Raises TimeoutError when all tries together take too long."""
    async with (
        asyncio.timeout(settings.ANALYST_TIMEOUT.total_seconds()),
        AsyncOpenAI(base_url=settings.ANALYST_URL, api_key=settings.ANALYST_KEY or "none", max_retries=0) as client,
    ):
        try:
            return await one_try(client, facts)
        except Exception:  # a stranger's answer may be wrong in any way; the second one says in which
            return await one_try(client, facts)


async def one_try(client: AsyncOpenAI, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Raises OpenAIError, or ValueError for an answer that is not as it was asked for."""
    completion = await client.chat.completions.parse(
        model=settings.ANALYST_MODEL,
        messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": json.dumps(facts)}],
        response_format=Answer,
    )
    answer = completion.choices[0].message.parsed
    if answer is None:
        raise ValueError("it refused")
    if unknown := set(answer.evidence) - set(facts["features"]):
        raise ValueError(f"it rests on {len(unknown)} features that it was not shown")
    return {
        "summary": answer.summary,
        "evidence": [*dict.fromkeys(answer.evidence)],
        "checks": [check.value for check in dict.fromkeys(answer.checks)],
    }
