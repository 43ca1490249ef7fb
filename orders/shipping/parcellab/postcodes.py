"""Postcodes that make ParcelLab misbehave, as test cards do at a payment provider. Upper or lower case."""

REFUSE = "REFUSE"
FAIL = "FAIL"
FLAKY = "FLAKY"
SLOW = "SLOW"
LOST = "LOST"

MEANING = {
    REFUSE: "Refuses the address for good (422).",
    FAIL: "Always answers 503 and does nothing.",
    FLAKY: "Answers 503 and does nothing at the first two calls, then takes the parcel.",
    SLOW: "Takes the parcel, but answers the first call too late.",
    LOST: "Takes the parcel, but answers the first call with 500.",
}
FAILING_CALLS = 2  # of FLAKY
TOO_LATE = 8.0  # seconds; longer than a patient client waits
