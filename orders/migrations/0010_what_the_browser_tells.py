"""Three more keys that link claims: the browser's cookie, the order of its headers, the card."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def key(name: str, help_text: str) -> migrations.AddField:
    field = models.CharField(max_length=32, blank=True, db_default="", help_text=help_text)
    return migrations.AddField("claimsignals", name, field)


def may_be_empty(name: str, help_text: str = "") -> migrations.AlterField:
    return migrations.AlterField("claimsignals", name, models.CharField(max_length=32, blank=True, help_text=help_text))


def index(name: str, column: str) -> AddIndexConcurrently:
    condition = models.Q((column, ""), _negated=True)
    return AddIndexConcurrently("claimsignals", models.Index(name=name, fields=["drop", column], condition=condition))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0009_carrier_may_be_empty")]

    operations = [
        key("device_key", "The browser's own cookie."),
        key("header_key", "Names of headers, in order."),
        key("card_key", "Known once it was paid with."),
        may_be_empty("ip_key", "IPv4, or IPv6 /64."),
        may_be_empty("net_key", "IPv4 /24, or IPv6 /48."),
        may_be_empty("email_key"),
        may_be_empty("address_key"),
        migrations.AlterField(
            "claimsignals", "raw", models.JSONField(help_text="ip, headers, page_to_submit_ms, honeypot, client.")
        ),
        index("signals_device", "device_key"),
        index("signals_card", "card_key"),
    ]
