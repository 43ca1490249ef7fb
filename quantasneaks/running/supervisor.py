"""The supervisor: supervisord's own loop in this process, with what it lacks added at its seams.

supervisord starts a process again however often it dies, stops groups in order and keeps the logs bounded. Added:
its loop turns five times a second instead of once, and fifty times at most; children end with a killed supervisor;
orphans of a killed child are killed too (they would hold its port or its locks); and what the processes print appears
on the screen.
"""

import configparser
import os
import shlex
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.poller import Poller
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from quantasneaks.running import processes
from quantasneaks.running.console import Console
from quantasneaks.running.programs import Program

TURN = 0.2  # seconds; so a dead process is seen and started again within twice that
TOGETHER = 0.02  # seconds; what is printed meanwhile is heard in one turn, for each looks at all children anew
STOP_WAIT = 6  # seconds that a group has to stop before it is killed: two groups and turns stay under 20


class QuickPoller(Poller):  # type: ignore[misc,valid-type]  # supervisord picks the class by platform
    def poll(self, timeout: float) -> Any:
        time.sleep(TOGETHER)
        return super().poll(min(timeout, TURN))


class Options(ServerOptions):
    def __init__(self) -> None:
        super().__init__()
        self.poller = QuickPoller(self)
        self.first, self.test = True, False

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        processes.stop_with_parent()
        super().execve(filename, argv, env)


class Keeper(Supervisor):
    """Keeps the programs alive. Other threads may call start, states and fail; the rest is the loop's."""

    def __init__(self, options: Options, console: Console, opening: Callable[["Keeper"], None]) -> None:
        super().__init__(options)
        self.console = console
        self.opening = opening
        self.failure = ""
        self.deaths: Counter[str] = Counter()
        self.wanted: SimpleQueue[str] = SimpleQueue()

    def runforever(self) -> None:
        events.subscribe(events.ProcessLogStdoutEvent, self._heard)
        events.subscribe(events.ProcessStateExitedEvent, self._died)
        events.subscribe(events.ProcessStateStoppedEvent, lambda event: self.console.finish(event.process.config.name))
        events.subscribe(events.SupervisorStoppingEvent, lambda _: self.console.say("shop", "stopping"))
        self.opening(self)
        super().runforever()

    def tick(self, now: float | None = None) -> None:
        """Part of every turn: begin what was asked for, and end what lost its parent."""
        super().tick(now)
        while not self.wanted.empty() and self.options.mood == SupervisorStates.RUNNING:
            self.process(self.wanted.get()).spawn()
        for pid in processes.children() - self.options.pidhistory.keys():
            os.kill(pid, signal.SIGKILL)
        if processes.make_was_interrupted():
            self.options.mood = SupervisorStates.SHUTDOWN

    def start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            self.wanted.put(program.name)

    def process(self, name: str) -> Subprocess:
        return next(group.processes[name] for group in self.process_groups.values() if name in group.processes)

    def exit_code(self, program: Program) -> int | None:
        """How a program that runs once ended; None as long as it runs."""
        process = self.process(program.name)
        return process.exitstatus if process.get_state() == ProcessStates.EXITED else None

    def fail(self, why: str) -> None:
        """Stop everything; the reason becomes the last line."""
        self.failure = self.failure or why
        self.options.mood = SupervisorStates.SHUTDOWN

    def _heard(self, event: events.ProcessLogStdoutEvent) -> None:
        self.console.hear(event.process.config.name, event.data)

    def _died(self, event: events.ProcessStateExitedEvent) -> None:
        name = event.process.config.name
        self.console.finish(name)
        self.deaths[name] += 1
        if event.process.config.autorestart:
            self.console.say("shop", f"{name} ended and is started again")


def keep(groups: Mapping[str, Sequence[Program]], logs: Path, opening: Callable[[Keeper], None]) -> str:
    """Run until told to stop (SIGINT, SIGTERM, SIGHUP). Groups stop last first. Returns why it failed, or nothing."""
    config = logs / "supervisord.conf"
    with config.open("w") as file:
        _config(groups, logs).write(file)
    options = Options()
    options.realize(["-c", str(config)])
    keeper = Keeper(options, Console(), opening)
    try:
        keeper.main()
    except ExitNow:
        pass
    finally:
        processes.kill_all()
    return keeper.failure


def _config(groups: Mapping[str, Sequence[Program]], logs: Path) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    config["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "nocleanup": "true",
        "logfile": _escape(logs / "supervisor.log"),
        "logfile_maxbytes": "1MB",
        "logfile_backups": "1",
        "pidfile": _escape(logs / "supervisor.pid"),  # it is deleted at the end, so a file of ours
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    for priority, (group, programs) in enumerate(groups.items()):
        if programs:
            config[f"group:{group}"] = {
                "programs": ",".join(program.name for program in programs),
                "priority": str(priority),
            }
        for program in programs:
            config[f"program:{program.name}"] = {
                "command": _escape(shlex.join(program.command)),
                "directory": _escape(program.directory),
                "autostart": "false",  # the opening says when
                "autorestart": "false" if program.once else "true",
                "startsecs": "0",  # no number of quick deaths makes it give up
                "startretries": "1000000000",
                "exitcodes": "0",
                "stopsignal": program.stop_signal,
                "stopwaitsecs": str(STOP_WAIT),
                "killasgroup": "true",
                "redirect_stderr": "true",
                "stdout_logfile": _escape(logs / f"{program.name}.log"),
                "stdout_logfile_maxbytes": "5MB",
                "stdout_logfile_backups": "2",
                "stdout_events_enabled": "true",
                **({"user": program.user} if program.user else {}),
            }
    return config


def _escape(value: object) -> str:
    """A value as supervisord's configuration reads it back."""
    return str(value).replace("%", "%%")
