"""The program's own process: loads the source, computes what it is asked for, sends values.

It holds nothing that is expected. A program that tampers with this code or writes to the channel itself can only send
other values, which are then compared like any others.
"""

import io
import itertools
import os
import random
import sys
import types
from typing import Any

from pipeline.sandbox import codec, remote, together, wire

CHANNEL, LINK = 3, 4
"""File descriptors: to the judge, and to the test's process where there is one."""
NAME = "program"
_MESSAGE = 300
_MAX_ITEMS = 100_000


class Reply:
    """Sends replies on the channel, none larger than allowed."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, *parts: Any) -> None:
        body = codec.dump(list(parts))
        if len(body) > self.most:
            body = codec.dump(["large", len(body)])
        wire.send(CHANNEL, body)


def describe(error: BaseException) -> list[Any]:
    """An exception as [names of its builtin bases, arguments, type name, line, errno], without calling its methods."""
    kind = type(error)
    builtin = [c.__name__ for c in type.mro(kind) if c.__module__ == "builtins"]
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "program.py":
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        arguments = codec.encode(error.args)
        if len(codec.dump(arguments)) > _MESSAGE * 4:
            arguments = codec.encode((str(error.args)[:_MESSAGE],))
    except BaseException:
        arguments = {"t": []}
    number = error.errno if isinstance(error, OSError) and type(error.errno) is int else 0
    return [builtin, arguments, kind.__qualname__[:80], line, number]


def main() -> None:
    """Serve the judge until it closes the channel or kills this process."""
    request = codec.load(wire.receive(CHANNEL))
    reply = Reply(request["most"])
    if request["together"] is not None:
        together.guard()
    namespace = load(request["source"], reply)
    if namespace is None:
        return
    if request["together"] is not None:
        reply("test", together.run(namespace, request["together"], CHANNEL, describe))
    elif request["calls"] is not None:
        run_calls(namespace, request["calls"], reply)
    else:
        reply("loaded")
        if request["serve"]:
            remote.Owner(LINK, namespace, request["most_to_test"], lambda size: too_large(reply, size)).serve()
    if request["examples"]:
        codec.load(wire.receive(CHANNEL))
        run_examples(namespace, request["examples"], reply)


def too_large(reply: Reply, size: int) -> None:
    """Tell the judge of a value that is larger than allowed, and wait for the end."""
    reply("large", size)
    os.read(CHANNEL, 1)
    os._exit(0)


def load(source: str, reply: Reply) -> dict[str, Any] | None:
    """Compile and run the program as a module named `program`; None where that failed, and was told."""
    try:
        code = compile(source, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 0
        reply("syntax", f"{type(error).__name__}: {getattr(error, 'msg', error)}"[:_MESSAGE], line)
        return None
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    random.seed(0)
    try:
        exec(code, module.__dict__)  # noqa: S102 - what this process is for
    except BaseException as error:
        reply("exit" if isinstance(error, SystemExit) else "error", -1, describe(error))
        return None
    return module.__dict__


def run_calls(namespace: dict[str, Any], calls: list[Any], reply: Reply) -> None:
    """Make each call with arguments of its own and send what it returned; stops at the first exception."""
    functions: dict[str, Any] = {}
    for index, (name, arguments, keywords, asked) in enumerate(calls):
        if name not in functions:
            known, functions[name] = remote.look_up(namespace, name)
            if not known:
                reply("missing", index, name)
                return
        function = functions[name]
        positional = remote.decode_arguments(arguments)
        named = remote.decode_arguments(keywords)
        try:
            value = function(*positional, **named)
            tree = codec.encode(value, remote.builtin_class_or_opaque)
            if asked and type(tree) is dict and "h" in tree:
                tree = with_items(value, tree) if asked == "items" else codec.opaque(value, asked)
        except codec.TooDeep:
            tree = {"h": ["", "deeply nested", {"identity": True, "truth": True}]}
        except BaseException as error:
            reply("exit" if isinstance(error, SystemExit) else "error", index, describe(error))
            return
        reply("value", index, tree)


def with_items(value: Any, tree: Any) -> Any:
    """The encoding of an iterator with its items, where the test iterates over it."""
    if not hasattr(type(value), "__iter__"):
        return tree
    items = list(itertools.islice(iter(value), _MAX_ITEMS + 1))
    if len(items) > _MAX_ITEMS:
        return tree
    return {"g": [type(value).__qualname__[:80], codec.encode(items, remote.builtin_class_or_opaque)]}


def run_examples(namespace: dict[str, Any], examples: list[Any], reply: Reply) -> None:
    """Run each example and send what it printed and showed; stops at the first unexpected exception.

    An example is [source, whether its output is wanted]; with output wanted it runs as doctest runs it.
    """
    for index, (source, wanted) in enumerate(examples):
        output = io.StringIO()
        kept, sys.stdout = sys.stdout, output
        error: BaseException | None = None
        try:
            code = compile(source, "example.py", "single" if wanted else "exec", dont_inherit=True)
            exec(code, namespace)  # noqa: S102 - what this process is for
        except BaseException as caught:
            error = caught
        finally:
            sys.stdout = kept
        if isinstance(error, SystemExit):
            reply("exit", index, describe(error))
            return
        if isinstance(error, SyntaxError) and error.filename == "example.py":
            reply("example-syntax", index, f"SyntaxError: {error.msg}"[:_MESSAGE], error.lineno or 0)
            return
        if error is not None and not wanted:
            reply("error", index, describe(error))
            return
        reply("shown", index, output.getvalue(), describe(error) if error is not None else None)


def start() -> None:
    """Entry point after the fork; never returns."""
    try:
        main()
        os.read(CHANNEL, 1)
    except BaseException:
        os._exit(70)
    os._exit(0)
