"""Chains: keep some items, change each, put together what is left. Many different programs of few parts."""

from functools import cache
from itertools import product
from typing import NamedTuple

from pipeline.teacher.composer.writing import Family


class Part(NamedTuple):
    """name: in the function's name. said: of several items, in the docstring; one: of one item, where it is a change.
    code: on `x`, or on the list `kept` for an end; returns: its type.
    """

    name: str
    said: str
    code: str
    returns: str = ""
    one: str = "it"


_KEEP = {
    "list[int]": (
        Part("even_numbers", "even numbers", "x % 2 == 0"),
        Part("odd_numbers", "odd numbers", "x % 2 == 1"),
        Part("negative_numbers", "negative numbers", "x < 0"),
        *(Part(f"multiples_of_{k}", f"multiples of {k}", f"x % {k} == 0") for k in range(3, 8)),
        *(Part(f"numbers_above_{k}", f"numbers greater than {k}", f"x > {k}") for k in range(8)),
        *(Part(f"numbers_up_to_{k}", f"numbers of at most {k}", f"x <= {k}") for k in range(4, 12)),
    ),
    "list[str]": (
        *(Part(f"words_longer_than_{k}", f"words of more than {k} letters", f"len(x) > {k}") for k in range(3, 6)),
        *(Part(f"words_with_{c}", f'words in which "{c}" occurs', f'"{c}" in x') for c in "aeilnort"),
        *(Part(f"words_ending_in_{c}", f'words that end in "{c}"', f'x.endswith("{c}")') for c in "ernd"),
    ),
}
_CHANGE = {
    "list[int]": (
        Part("", "", "x"),
        Part("squares_of_", "the squares of ", "x * x", one="its square"),
        Part("absolute_values_of_", "the absolute values of ", "abs(x)", one="its absolute value"),
        *(Part(f"{k}_times_", f"{k} times ", f"x * {k}", one=f"{k} times it") for k in range(2, 7)),
        *(Part(f"{k}_less_than_", f"{k} less than ", f"x - {k}", one=f"{k} less") for k in range(1, 6)),
    ),
    "list[str]": (
        Part("", "", "x"),
        Part("capitals_of_", "the upper-case forms of ", "x.upper()", one="its upper-case form"),
        Part("reversals_of_", "the reversed forms of ", "x[::-1]", one="its letters from last to first"),
        *(
            Part(f"first_{k}_letters_of_", f"the first {k} letters of ", f"x[:{k}]", one=f"no more than {k} letters")
            for k in range(2, 5)
        ),
    ),
}
_END = {
    "list[int]": (
        Part("sum", "the sum of", "sum(kept)", "int"),
        Part("largest", "the largest (0 if there is none) of", "max(kept, default=0)", "int"),
        Part("distinct_count", "the number of different ones among", "len(set(kept))", "int"),
        Part("list", "the list, in order, of", "kept", "list[int]"),
        Part("sorted", "the list, in descending order, of", "sorted(kept, reverse=True)", "list[int]"),
    ),
    "list[str]": (
        Part("list", "the list, in order, of", "kept", "list[str]"),
        Part("sorted", "the list, in alphabetical order, of", "sorted(kept)", "list[str]"),
        Part("joined", "the text made by joining with dashes", '"-".join(kept)', "str"),
        Part("length", "the total length of", "sum(len(x) for x in kept)", "int"),
    ),
}


@cache
def chains() -> tuple[Family, ...]:
    """Every combination of a filter, a change and an end, as a family without parameters."""
    return tuple(_family(kind, *parts) for kind in _KEEP for parts in product(_KEEP[kind], _CHANGE[kind], _END[kind]))


def _family(kind: str, keep: Part, change: Part, end: Part) -> Family:
    whole = f"{end.said} {change.said}the {keep.said} in `$a`"
    return Family(
        name=f"{end.name}_of_{change.name}{keep.name}".removeprefix("_"),
        about="Keeping, changing and putting together",
        args=(kind,),
        returns=end.returns,
        asks=(
            f"Return {whole}.",
            f"Go through `$a` and look at nothing but its {keep.said}. Of each one take {change.one}. The result is "
            f"{end.said} what was found.",
            f"The argument `$a` is a {kind.replace('[', ' of ').removesuffix(']')}. What is {whole}?",
        ),
        bodies=(
            f"kept = [{change.code} for x in $a if {keep.code}]\nreturn {end.code}",
            f"kept = []\nfor x in $a:\n    if {keep.code}:\n        kept.append({change.code})\nreturn {end.code}",
        ),
    )
