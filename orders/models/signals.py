"""What a claim's request showed of its sender. Kept for the score: 30 days after the sale, what links 90."""

from django.db import models


class ClaimSignals(models.Model):
    """Raw signals beside their keyed hashes; the hashes are what velocity is counted by."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, related_name="signals")
    drop = models.ForeignKey("orders.Drop", on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    raw = models.JSONField(help_text="ip, headers, page_to_submit_ms, honeypot, client, ticket, ticket_ms.")
    # A key is empty where its value is missing; empty keys link nobody.
    ip_key = models.CharField(max_length=32, blank=True, help_text="IPv4, or IPv6 /64.")
    net_key = models.CharField(max_length=32, blank=True, help_text="IPv4 /24, or IPv6 /48.")
    email_key = models.CharField(max_length=32, blank=True)
    address_key = models.CharField(max_length=32, blank=True)
    phone_key = models.CharField(max_length=32, blank=True)
    # With a default in the database: the release before this one goes on claiming while the shop is updated.
    device_key = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="The browser's own cookie."
    )
    header_key = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="Names of headers, in order."
    )
    card_key = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="Known once it was paid with."
    )
    print_key = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="Headers and the script's report."
    )
    ticket_key = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="Which page's proof of work came with it."
    )
    link = models.BigIntegerField(null=True, help_text="The first order of its group; empty for one by itself.")

    class Meta:
        verbose_name_plural = "claim signals"
        indexes = [
            models.Index(name="signals_order", fields=["drop", "order"]),
            models.Index(name="signals_email", fields=["email_key"]),
            # These do not begin with the drop: groups reach back to earlier ones, and of a drop that its statistics do
            # not know the planner would read every row.
            models.Index(name="links_address", fields=["address_key"]),  # read by ranges, too
            *(
                models.Index(name=f"links_{key}", fields=[f"{key}_key"], condition=~models.Q(**{f"{key}_key": ""}))
                for key in ("net", "phone", "device", "card", "ticket")
            ),
            # The first few of thousands, see risk.links.FIRST.
            models.Index(
                models.F("print_key"),
                models.F("order") + 0,
                name="links_print_first",
                condition=~models.Q(print_key=""),
            ),
            models.Index(name="links_group", fields=["link"], condition=models.Q(link__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"signals of order {self.order_id}"


class ClaimAttempts(models.Model):
    """Claims let through per client address and minute: the rate limit and a signal for the score.

    Its table is unlogged (see the migration): a count lost in a crash lets somebody try again, nothing more.
    """

    ip_key = models.CharField(max_length=32)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "claim attempts"
        # The only index: with one of the minutes each claim would read what everybody tried in its minute.
        constraints = [models.UniqueConstraint(name="attempts_once_per_minute", fields=["ip_key", "minute"])]

    def __str__(self) -> str:
        return f"{self.count} at {self.minute:%H:%M}"
