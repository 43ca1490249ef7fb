"""The whole shop as `make run` starts it, full of customers, while its processes are killed, frozen and misled.

The driver stands outside: it knows the shop by HTTP, its processes by /proc, and reads the database only to look.
"""
