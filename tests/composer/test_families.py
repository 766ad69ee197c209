"""Every family says what it needs to, and all of its bodies do what it says."""

import builtins
import contextlib
import io
import keyword

import pytest

from pipeline.core.identity import rng
from pipeline.teacher.composer.exercise import draw_cases, load, plain_source, write
from pipeline.teacher.composer.families import by_name, families
from pipeline.teacher.composer.fragments import Family, natural_names, split
from pipeline.teacher.composer.steps import bodies, chain_family, draw_chain
from pipeline.teacher.composer.techniques import ALIASES, TECHNIQUES, technique

FAMILIES = families()


def test_there_are_many_families_with_names_of_their_own() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_all_bodies_agree_under_every_choice(family: Family) -> None:
    for number, choice in enumerate(family.choices):
        random = rng(7, family.name, number)
        cases = draw_cases(random, family, choice)
        assert len(cases) >= 3 or family.name == "pattern_rows"
        for body in family.bodies[1:]:
            other = load(plain_source(family, choice, body), "answer")
            for arguments, result in cases:
                got = eval(f"f({arguments})", {"f": other})  # noqa: S307
                assert got == eval(result), (choice, arguments)  # noqa: S307


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_written_exercises_pass_their_own_tests(family: Family) -> None:
    for number in range(4):
        random = rng(11, family.name, number)
        piece = write(random, family, random.choice(family.choices))
        namespace: dict[str, object] = {}
        exec(piece.prompt + piece.body + piece.test + piece.check, namespace)  # noqa: S102
        namespace["check"](namespace[piece.entry_point])  # type: ignore[operator]
        assert piece.prompt.endswith("\n")
        assert not piece.prompt.endswith("\n\n")
        assert piece.body.startswith("    ")
        assert "$" not in piece.prompt.replace("$(", "")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_worded_in_several_ways(family: Family) -> None:
    assert len(family.does) + len(family.result) + len(family.cond) + len(family.says) >= 2
    assert family.skills
    assert all(technique(skill) for skill in family.skills)
    if family.returns == "bool":
        assert family.cond or family.result


def test_no_parameter_hides_an_argument() -> None:
    for family in FAMILIES:
        arguments = {argument.name for argument in family.arguments}
        assert not any(arguments & choice.keys() for choice in family.choices), family.name


def test_no_function_bears_the_name_of_a_builtin() -> None:
    """A function called `sum` that calls `sum` calls itself."""
    for family in FAMILIES:
        for choice in family.choices:
            for name in natural_names(family, choice):
                assert name.isidentifier(), name
                assert not keyword.iskeyword(name)
                assert not hasattr(builtins, name), name
    assert by_name()


def test_the_split_is_disjoint_and_whole() -> None:
    for family in FAMILIES:
        parts = split(family)
        assert parts.open
        assert len(parts.open) + len(parts.reserved) == len(family.choices)
        assert not [choice for choice in parts.reserved if choice in parts.open]
        assert len(family.choices) < 5 or parts.reserved


def test_bodies_of_chains_agree() -> None:
    for number in range(300):
        random = rng(3, number)
        chain = draw_chain(random, reserved=number % 4 == 0)
        family = chain_family(random, chain)
        assert len(family.bodies) >= 2 or chain.end.whole == ""
        for body in range(len(family.bodies)):
            write(rng(3, number, body), family, {}, body_number=body)


def test_a_chain_is_never_open_and_reserved() -> None:
    keys = {
        reserved: {tuple(draw_chain(rng(5, number), reserved=reserved).key) for number in range(300)}
        for reserved in (True, False)
    }
    assert not keys[True] & keys[False]


def test_a_chain_has_a_loop_and_an_expression() -> None:
    chain = draw_chain(rng(1), reserved=False)
    made = bodies(chain, "3", "4")
    assert any(body.startswith("return ") for body in made)
    assert any("for " in body.splitlines()[1] for body in made if "\n" in body)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_code_of_a_mistake_prints_what_its_comment_says(name: str) -> None:
    code = TECHNIQUES[name].code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})  # noqa: S102
    lines = [line for line in code.splitlines() if "print(" in line and "#" in line]
    comments = [line.rsplit("# ", 1)[1] for line in lines]
    outputs = printed.getvalue().splitlines()
    for comment in comments:
        assert any(comment.startswith((output, f"prints {output}")) for output in outputs), (comment, outputs)


def test_aliases_lead_to_techniques() -> None:
    assert set(ALIASES.values()) <= set(TECHNIQUES)
