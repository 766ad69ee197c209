"""One worker's judge: plans how a program is tested, has it run, and decides from the values that come back.

Runs in a process of its own beside the fork-server it starts, in user and network namespaces of its own. It parses and
evaluates tests only in the closed form of reduce.py, never runs the program or the test, and reads what the program
sends as data.
"""

import os
import select
import socket
import time
from typing import Any

from pipeline.sandbox import codec, outcomes, wire
from pipeline.sandbox.gate import refusal
from pipeline.sandbox.outcomes import End, Outcome, ServerLost, in_time
from pipeline.sandbox.reduce import Reduced, text_of
from pipeline.sandbox.remote import decode_values
from pipeline.sandbox.sealing import Sealing
from pipeline.sandbox.server import DONE, unpack_end
from pipeline.sandbox.show import brief, error_text, same_output
from pipeline.sandbox.types import Limits

_REMEMBERED = 256
"""Tests remembered as depending on the result."""
TO_TEST = 16
"""How many times as large as for the judge a value may be for a test in its own process, which has a memory limit."""


class Judge:
    """Judges one program at a time. parent: closed when the pipeline is gone, and then so is this process."""

    def __init__(self, control: socket.socket, parent: int, limits: Limits) -> None:
        self.control = control
        self.parent = parent
        self.limits = limits
        self.most = limits.output_kb << 10
        self.backstop = limits.wall_seconds + 30.0
        self.known: set[tuple[str, str]] = set()
        """Tests (with their entry points) that are known to depend on the result."""

    def remember(self, test: tuple[str, str]) -> None:
        """A test was found to depend on the result."""
        if len(self.known) >= _REMEMBERED:
            self.known.clear()
        self.known.add(test)

    def begin(self, program: dict[str, Any], after: "Session | None") -> "Session":
        """Have a program started, and the one `after` stopped, in one message: that is one wait less for each."""
        reduced, problem = None, None
        try:
            reduced = outcomes.plan(program["test"], program["entry_point"]) if program["test"].strip() else None
        except (SyntaxError, ValueError) as error:
            problem = Outcome("failed", f"the test does not parse: {error}")
        except Exception as error:
            problem = outcomes.unforeseen(error)
        session = Session(self, program, reduced, problem)
        if problem is None:
            session.begin(b"N" if after is not None and after.begun else b"R")
        elif after is not None:
            after.stop()
        return session


class Session:
    """One program's run: its channels, what has come back, how its processes ended.

    beside: what came of the session that judged the program apart from its test and did not find it right; then they
    run together, and `sealing` holds what the test withholds from the program.
    """

    def __init__(
        self,
        judge: Judge,
        program: dict[str, Any],
        reduced: Reduced | None,
        outcome: Outcome | None,
        beside: dict[str, Any] | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        self.judge = judge
        self.beside = beside
        self.sealing = sealing
        self.started = time.monotonic()
        self.begun = False
        self.outcome = outcome
        self.program = program
        self.reduced = reduced
        self.examples: list[Any] = program["examples"]
        self.apart = reduced is None and bool(program["test"].strip()) and beside is None
        self.results: list[Any] = []
        self.judged = 0
        self.test_held = not program["test"].strip()
        self.loaded = False
        self.examples_held = 0
        self.observed: list[list[str]] = []
        self.cpu = 0.0
        self.ends: dict[int, End] = {}
        self.test_channel: socket.socket | None = None

    def begin(self, message: bytes) -> None:
        """Send the server the far ends of this program's channels."""
        self.channel, far = socket.socketpair()
        ends = [far]
        if self.apart:
            self.test_channel, test_far = socket.socketpair()
            link, test_link = socket.socketpair()
            ends += [link, test_far, test_link]
        socket.send_fds(self.judge.control, [message], [end.fileno() for end in ends])
        for end in ends:
            end.close()
        self.begun = True

    def run(self) -> None:
        """Talk to the program until there is a verdict, or it has ended without one."""
        if self.begun:
            self.outcome = self._exchange()

    def again(self) -> "Session | None":
        """Where sharing a process may show the program to be right, and the gate lets it: the session for that, begun.

        This one is then stopped and finished.
        """
        if not self.begun or self.test_held or not self.loaded or self.beside is not None:
            return None
        if self.outcome is None:
            # A test may replace what the program waits for, and mostly says so.
            may = self.apart and "sleep" in self.program["test"] and any(e.met == "idle" for e in self.ends.values())
        else:
            may = self.outcome.verdict == "uncomparable" or (self.apart and self.outcome.verdict == "failed")
        if not may or refusal(self.program["source"]):
            return None
        try:
            sealing = Sealing(self.program["test"])
        except Exception as error:
            self.outcome = outcomes.unforeseen(error)
            return None
        self.stop()
        session = Session(self.judge, self.program, None, None, self.finish(), sealing)
        session.begin(b"R")
        return session

    def stop(self) -> None:
        """Have the server kill and clear whatever is left of it."""
        if self.begun:
            self.judge.control.send(b"S")

    def finish(self) -> dict[str, Any]:
        """Wait until the server has cleared it away; the verdict, as the pool reads it."""
        if self.begun:
            while not self._take_end():
                pass
            self.channel.close()
            if self.test_channel is not None:
                self.test_channel.close()
        outcome = self.outcome or outcomes.of_ends(self.ends, self.judge.limits)
        wall = time.monotonic() - self.started
        made: dict[str, Any] = {"verdict": outcome.verdict, "detail": outcome.detail[:1000], "observed": self.observed}
        made["judged"] = "values" if self.reduced is not None else "apart" if self.apart else ""
        if self.beside is not None:
            made["judged"] = "together"
            open_before = self.beside["verdict"] == "uncomparable"
            better = outcome.verdict == "passed" or (outcome.verdict == "failed" and open_before)
            made = made if better else self.beside
            return made | {"cpu": self.cpu + self.beside["cpu"], "wall": wall + self.beside["wall"]}
        return made | {"cpu": self.cpu, "wall": wall}

    def _exchange(self) -> Outcome | None:
        """Talk to the program until there is a verdict, or None when it ended without one."""
        request = {
            "source": self.program["source"],
            "calls": self.reduced.calls if self.reduced is not None else None,
            "serve": self.apart,
            "examples": [[source, want is not None or self.program["observe"]] for source, want, _ in self.examples],
            "most": self.judge.most,
            "most_to_test": TO_TEST * self.judge.most,
            "together": None,
        }
        if self.sealing is not None:
            request["together"] = {
                "test": self.sealing.sealed.source,
                "entry_point": self.program["entry_point"],
                "known": self._identity in self.judge.known,
            }
        inboxes = {0: wire.Inbox(self.channel.fileno(), self.judge.most)}
        try:
            wire.send(self.channel.fileno(), codec.dump(request))
            if self.test_channel is not None:
                order = {key: self.program[key] for key in ("test", "entry_point", "source")}
                order["known"] = self._identity in self.judge.known
                wire.send(self.test_channel.fileno(), codec.dump(order))
                inboxes[1] = wire.Inbox(self.test_channel.fileno(), self.judge.most)
        except wire.Closed:
            return None
        poller = select.poll()
        by_fd = {inbox.fd: (role, inbox) for role, inbox in inboxes.items()}
        for fd in (*by_fd, self.judge.control.fileno()):
            poller.register(fd, select.POLLIN)
        poller.register(self.judge.parent, 0)
        deadline = time.monotonic() + self.judge.backstop
        while True:
            events = poller.poll(max(deadline - time.monotonic(), 0.0) * 1000)
            if not events:
                raise ServerLost("the server did not enforce the wall limit")
            ended = False
            for fd, _ in events:
                if fd == self.judge.parent:
                    os._exit(0)
                if fd == self.judge.control.fileno():
                    self._take_end()
                    ended = True
                    continue
                role, inbox = by_fd[fd]
                inbox.fill()
                if inbox.closed:
                    poller.unregister(fd)
                outcome = self._take(role, inbox)
                if outcome is not None:
                    return outcome
            if ended:
                return self._drain(inboxes)

    def _drain(self, inboxes: dict[int, wire.Inbox]) -> Outcome | None:
        """A process has ended: read what it had sent before."""
        for role, inbox in inboxes.items():
            os.set_blocking(inbox.fd, False)
            while not inbox.closed:
                before = inbox.total
                inbox.fill()
                outcome = self._take(role, inbox)
                if outcome is not None:
                    return outcome
                if inbox.total == before:
                    break
        return None

    @in_time
    def _take(self, role: int, inbox: wire.Inbox) -> Outcome | None:
        try:
            while (body := inbox.pop()) is not None:
                message = codec.load(body)
                outcome = self._test_message(*message) if role == 1 else self._message(*message)
                if outcome is not None:
                    return outcome
            if inbox.total > 4 * self.judge.most:
                return Outcome("output", f"returned more than {4 * self.judge.most:,} bytes")
        except wire.Closed:
            return None
        except (codec.Malformed, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            return Outcome("failed", f"sent what is not in the encoding: {str(error)[:200]}")
        except Exception as error:
            return outcomes.unforeseen(error)
        return None

    def _message(self, kind: str, *parts: Any) -> Outcome | None:
        """One message of the program."""
        if kind == "value":
            return self._value(*parts)
        if self.sealing is not None and not self.test_held and kind in ("compared", "mutating", "test"):
            return self._beside(kind, *parts)
        if kind == "shown":
            return self._shown(*parts)
        if kind == "loaded":
            if self.reduced is not None:
                raise codec.Malformed("no value where one was asked for")
            self.loaded = True
            return None if self.apart else self._next_examples()
        where = self._where(parts[0]) if kind in ("error", "exit", "missing") else ""
        if kind == "error":
            return outcomes.raised(where, parts[1])
        if kind == "exit":
            return Outcome("early-exit", f"{where}raised SystemExit")
        if kind == "missing":
            return Outcome("failed", f"the program defines no {str(parts[1])[:80]}")
        if kind == "syntax":
            return Outcome("syntax-error", f"{str(parts[0])[:300]} (line {int(parts[1])})")
        if kind == "example-syntax":
            return Outcome("syntax-error", f"example {int(parts[0]) + 1}: {str(parts[1])[:300]} (line {int(parts[2])})")
        if kind == "large":
            most = self.judge.most * (TO_TEST if self.apart else 1)
            return Outcome("output", f"returned a value of {int(parts[0]):,} bytes, at most {most:,} are allowed")
        raise codec.Malformed(f"unknown message {kind[:40]!r}")

    def _where(self, index: Any) -> str:
        if index == -1:
            return "loading the program: "
        if self.reduced is not None and self.judged < len(self.reduced.assertions):
            return f"{text_of(self.reduced.assertions[self.judged])}: "
        if type(index) is int and 0 <= index < len(self.examples):
            return f"example {self.examples[index][0].strip()[:200]!r}: "
        return ""

    def _value(self, index: Any, tree: Any) -> Outcome | None:
        reduced = self.reduced
        if reduced is None or type(index) is not int or index != len(self.results) or index >= len(reduced.calls):
            raise codec.Malformed("a value that was not asked for")
        self.loaded = True
        self.results.append(decode_values(tree))
        while self.judged < len(reduced.assertions) and reduced.assertions[self.judged].last <= len(self.results):
            outcome = outcomes.judge_assertion(reduced.assertions[self.judged], self.results, reduced.constants)
            if outcome is not None:
                return outcome
            self.judged += 1
        if self.judged < len(reduced.assertions):
            return None
        if not outcomes.tests_something(self.program["test"], self.program["entry_point"]):
            return self._empty("it holds whatever the function returns")
        self.test_held = True
        return self._next_examples()

    def _beside(self, kind: str, *parts: Any) -> Outcome | None:
        """A message of a program that shares its process with the test."""
        assert self.sealing is not None
        if kind == "compared":
            wire.send(self.channel.fileno(), codec.dump(self.sealing.holds(*parts)))
            return None
        if kind == "mutating":
            self.sealing.mutating = True
            return None
        (answer,) = parts
        if self.sealing.broken and answer[0] in ("held", "empty", "broke"):
            return Outcome("uncomparable" if self.sealing.unsure else "failed", self.sealing.broken)
        if self.sealing.left_out and answer[0] in ("held", "empty"):
            return Outcome("failed", f"ended before assert {self.sealing.left_out}")
        return self._test_message(*answer)

    @property
    def _identity(self) -> tuple[str, str]:
        return self.program["test"], self.program["entry_point"]

    def _empty(self, why: str) -> Outcome | None:
        """The test has held but compared nothing that depends on the function's result."""
        if not self.program["needs_test"]:
            self.test_held = True
            return self._next_examples()
        detail = f"the test compares nothing that depends on the result of {self.program['entry_point']}"
        return Outcome("no-test", f"{detail}: {why}" if why else detail)

    def _next_examples(self) -> Outcome | None:
        """The test has held, or there is none: passed, or have the examples run."""
        if not self.test_held:
            raise codec.Malformed("an answer before the test has held")
        if not self.examples:
            return Outcome("passed", "")
        wire.send(self.channel.fileno(), codec.dump("examples"))
        return None

    def _shown(self, index: Any, output: Any, error: Any) -> Outcome | None:
        if not self.test_held or type(index) is not int or index != self.examples_held:
            raise codec.Malformed("an example that was not asked for")
        source, want, options = self.examples[index]
        if self.program["observe"]:
            if not isinstance(output, str):
                raise codec.Malformed("an example's output is text")
            self.observed.append([output, "" if error is None else error_text(error)])
        elif want is not None:
            got = output if error is None else error_text(error)
            if not isinstance(got, str) or not same_output(want, got, error is not None, options):
                if error is not None and outcomes.raised("", error).verdict in ("memory", "blocked"):
                    return outcomes.raised(f"example {source.strip()[:200]!r}: ", error)
                detail = f"example: {source.strip()[:200]}: expected {brief(want)}, got {brief(got)}"
                return Outcome("failed", detail)
        self.examples_held += 1
        return Outcome("passed", "") if self.examples_held == len(self.examples) else None

    def _test_message(self, kind: str, *parts: Any) -> Outcome | None:
        """The message of the test's process: how the test ended."""
        if kind == "held":
            self.judge.remember(self._identity)
            self.test_held = True
            return self._next_examples()
        if kind == "empty":
            return self._empty(str(parts[0])[:600])
        if kind == "broke":
            return Outcome("failed", f"assert {str(parts[0])[:600]}")
        if kind == "uncomparable":
            detail = f"assert {str(parts[0])[:600]}: an object of type {parts[1][:80]}, {outcomes.NO_FORM}"
            return Outcome("uncomparable", detail)
        if kind == "raised":
            bases = parts[0][0]
            if "SystemExit" in bases:
                return Outcome("early-exit", "the program raised SystemExit in the test")
            return outcomes.raised("" if parts[1] else "the test: ", parts[0])
        if kind == "lost":
            return None
        if kind == "nonsense":
            return Outcome("failed", f"sent what is not in the encoding: {str(parts[0])[:200]}")
        raise codec.Malformed(f"unknown message {kind[:40]!r}")

    def _take_end(self) -> bool:
        """Read one message of the server: how a process ended, or (True) that all is cleared away."""
        message = self.judge.control.recv(64)
        if not message:
            raise ServerLost("the server is gone")
        if message[:1] == DONE:
            return True
        role, status, cpu, met, _ = unpack_end(message)
        self.cpu += cpu
        self.ends.setdefault(role, End(status, met, cpu))
        return False
