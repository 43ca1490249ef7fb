"""How far the sale is: a bar for a person at a terminal, now and then a line for a log, nothing for a program."""

import sys

from tqdm import tqdm

LINES = 10


class Progress:
    def __init__(self, total: int, *, quiet: bool) -> None:
        terminal = sys.stderr.isatty()
        self.lines = not quiet and not terminal
        self.bar = tqdm(total=total, unit=" customers", disable=quiet or not terminal, file=sys.stderr)
        self.total, self.done = total, 0

    def step(self) -> None:
        """One more customer is through."""
        self.done += 1
        self.bar.update()
        if self.lines and self.done * LINES // self.total > (self.done - 1) * LINES // self.total:
            print(f"{self.done} of {self.total} customers are through", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        self.bar.close()
