"""Whose request it is, behind no proxy, one, or several."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import RequestFactory

from quantasneaks.addresses import client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "192.0.2.1", "203.0.113.9"),  # anybody may write that header
        ("172.31.240.1", "192.0.2.1", "192.0.2.1"),
        ("172.31.240.1", "10.9.9.9, 192.0.2.1", "192.0.2.1"),  # what the customer wrote comes first
        ("172.31.240.1", "192.0.2.1, 10.0.3.7", "192.0.2.1"),  # a chain of two
        ("172.31.240.1", "nonsense", "0.0.0.0"),
        ("::ffff:172.31.240.1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_the_last_hop_that_is_no_proxy_of_ours(peer: str, forwarded: str, client: str, settings: Any):
    settings.TRUSTED_PROXIES = [ip_network("172.31.240.1"), ip_network("10.0.0.0/16")]
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})) == client
