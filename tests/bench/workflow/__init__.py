"""The workflow alone: N orders from the claim to the parcel through the real broker, relay, beat and workers.

Money and parcels answer inside the process, so that what is measured is this shop and not its strangers. A driver
claims, tells of payments and approves, as the web processes would.
"""
