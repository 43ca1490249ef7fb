from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FulfillmentConfig(AppConfig):
    """The reviewer's side."""

    name = "fulfillment"

    def ready(self) -> None:
        from fulfillment.groups import set_groups

        post_migrate.connect(set_groups, sender=self)
