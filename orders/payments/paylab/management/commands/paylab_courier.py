import signal
from typing import Any

from django.core.management.base import BaseCommand

from orders.payments.paylab.courier import Courier


class Command(BaseCommand):
    help = "Delivers PayLab's webhooks until it is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        courier = Courier()
        signal.signal(signal.SIGTERM, courier.stop)
        signal.signal(signal.SIGINT, courier.stop)
        courier.run()
