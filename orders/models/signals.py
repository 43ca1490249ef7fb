"""What a claim's request showed of its sender. Kept for the score, and deleted 30 days after the sale."""

from django.db import models


class ClaimSignals(models.Model):
    """Raw signals beside their keyed hashes; the hashes are what velocity is counted by."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, related_name="signals")
    drop = models.ForeignKey("orders.Drop", on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    raw = models.JSONField(help_text="ip, headers, page_to_submit_ms, honeypot.")
    ip_key = models.CharField(max_length=32, help_text="IPv4, or IPv6 /64.")
    net_key = models.CharField(max_length=32, help_text="IPv4 /24, or IPv6 /48.")
    email_key = models.CharField(max_length=32)
    address_key = models.CharField(max_length=32)
    phone_key = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name_plural = "claim signals"
        indexes = [
            models.Index(name="signals_ip", fields=["drop", "ip_key", "at"]),
            models.Index(name="signals_net", fields=["drop", "net_key", "at"]),
            models.Index(name="signals_email", fields=["email_key"]),
            models.Index(name="signals_address", fields=["drop", "address_key"]),
            models.Index(name="signals_phone", fields=["drop", "phone_key"], condition=~models.Q(phone_key="")),
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
        constraints = [models.UniqueConstraint(name="attempts_once_per_minute", fields=["ip_key", "minute"])]
        indexes = [models.Index(name="attempts_minute", fields=["minute"])]

    def __str__(self) -> str:
        return f"{self.count} at {self.minute:%H:%M}"
