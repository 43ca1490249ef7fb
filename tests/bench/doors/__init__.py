"""The customer's doors under load, each beside the least that a Django view could do for the same answer.

Both are served by the same processes in the same run, so that the ratio means something on any machine.
"""
