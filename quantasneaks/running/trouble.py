"""The one line that says why the shop cannot run."""


class Trouble(Exception):
    """Something the person at the keyboard can put right; the text is for them."""
