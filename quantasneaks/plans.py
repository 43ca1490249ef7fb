"""Prepared statements outlive a migration that changes the type of what they return."""

from collections.abc import Callable
from typing import Any

from django.db import NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver


def plan_anew(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """PostgreSQL refuses such a statement unrun, and would as long as the connection is kept: forget all, ask again.

    Within a transaction it fails, once: psycopg forgets them as that is rolled back.
    """
    try:
        return execute(sql, params, many, context)
    except NotSupportedError:
        connection = context["connection"]
        if connection.in_atomic_block:
            raise
        connection.connection.execute("DEALLOCATE ALL")
        return execute(sql, params, many, context)


@receiver(connection_created)
def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if plan_anew not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, plan_anew)
