"""Asks this machine's web process whether it is ready: for `make run` and the containers' health checks."""

import http.client
import json
import sys

from django.conf import settings

TIMEOUT = 3  # seconds; /readyz itself answers within one


def reachable(bind: str) -> str:
    """An address at which a server bound to `bind` answers."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(bind, bind)  # noqa: S104


def readyz() -> dict[str, str]:
    """The answer of /readyz; empty while nobody answers."""
    host = settings.ALLOWED_HOSTS[0].lstrip("*.") or "localhost"
    web = http.client.HTTPConnection(reachable(settings.BIND), settings.PORT, timeout=TIMEOUT)
    try:
        web.request("GET", "/readyz", headers={"Host": host})
        answer: dict[str, str] = json.loads(web.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        web.close()
    return answer


if __name__ == "__main__":
    sys.exit(0 if readyz().get("status") in {"ready", "degraded"} else 1)
