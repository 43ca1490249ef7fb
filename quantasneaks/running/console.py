"""What the processes print, on one screen: each line whole, with the name of its process before it."""

import sys

NAME_WIDTH = 8


class Console:
    """Collects each process's output until a line is complete."""

    def __init__(self) -> None:
        self.unfinished: dict[str, bytes] = {}

    def hear(self, name: str, output: bytes) -> None:
        *lines, rest = (self.unfinished.pop(name, b"") + output).split(b"\n")
        if rest:
            self.unfinished[name] = rest
        for line in lines:
            self.say(name, line.decode(errors="replace").rstrip("\r"))

    def finish(self, name: str) -> None:
        """The process is gone: what it did not end is a line too."""
        if rest := self.unfinished.pop(name, b""):
            self.say(name, rest.decode(errors="replace"))

    def say(self, name: str, text: str) -> None:
        self.show(f"{name:<{NAME_WIDTH}} | {text}\n")

    def show(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:  # nobody reads any more (a closed pipe or terminal); the logs folder has it all
            sys.stdout = open("/dev/null", "w")  # noqa: SIM115  # for the rest of this process's life
