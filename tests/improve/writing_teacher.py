"""A teacher behind a small server: each exercise that it is asked for is right, and unlike the others."""

import hashlib
import random
import re

from server import Body, Reply, chat

WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "inlet",
    "jetty",
    "knoll",
    "ledge",
    "marsh",
    "north",
    "ocean",
    "plain",
    "quarry",
]
STEPS = (
    "total = total * {a} + {b}\n",
    "for step in range({c}):\n    total += step * {a}\n",
    "if total > {b}:\n    total -= {a}\n",
    "while total > {big}:\n    total //= {c}\n",
    "total = abs(total - {b})\n",
    "total, rest = divmod(total, {c})\ntotal += rest\n",
    "total = max(total, {a}) - min(value, {b})\n",
    "total ^= {a}\n",
    "digits = [int(one) for one in str(abs(total))]\ntotal += sum(digits)\n",
)


def body_of(draw: random.Random) -> str:
    """A few statements on `total`, indented."""
    code = ""
    for step in draw.sample(STEPS, 5):
        code += step.format(a=draw.randint(2, 30), b=draw.randint(2, 90), c=draw.randint(2, 9), big=10**4)
    return "".join(f"    {line}\n" for line in code.splitlines())


BODIES: dict[str, str] = {}
"""By name of a function, the first body that was written of it: how this teacher solves a task."""


def exercise(name: str, text: str) -> str:
    """Two fenced blocks: the function, and asserts that hold. text: what all else is drawn from."""
    draw = random.Random(hashlib.sha256(text.encode()).hexdigest())
    code = f"def {name}(value: int) -> int:\n"
    code += f'    """From the {" ".join(draw.sample(WORDS, 12))} a number."""\n'
    body = "    total = value\n" + body_of(draw) + "    return total\n"
    BODIES.setdefault(name, body)
    code += body
    space: dict[str, object] = {}
    exec(code, space)  # noqa: S102  # written here, a few lines above
    function = space[name]
    asserts = "".join(f"assert {name}({n}) == {function(n)}\n" for n in (0, 3, 17))  # type: ignore[operator]
    return f"```python\n{code}```\n\n```python\n{asserts}```\n"


def answer(body: Body) -> Reply:
    """An exercise under the name that is asked for; of a task or a rewording, what suits the last message."""
    text = body["messages"][-1]["content"]
    named = re.search(r"^Name: `(\w+)`", text, re.MULTILINE)
    if named:
        return Reply(body=chat(exercise(named[1], text)))
    code = text.split("```python\n")[-1].split("```")[0]
    if "Write the docstring" in text:
        words = " ".join(random.Random(code).sample(WORDS, 9))
        return Reply(body=chat(f"```\nSays {words}.\n```"))
    name = re.findall(r"def (\w+)", code)[-1]
    return Reply(body=chat(f"```python\n{code}{BODIES[name]}```"))
