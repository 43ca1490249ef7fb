"""Django's admin: everything can be read; the journal, the money and the orders can be changed by nobody."""

from fulfillment.admin import beat, drops, orders, people, records, work

__all__ = ["beat", "drops", "orders", "people", "records", "work"]
