"""From the approval to the parcel: what to take from the shelf, and what to put beside it."""
