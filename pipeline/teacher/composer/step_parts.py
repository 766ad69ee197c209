"""The parts that `steps.py` chains: sources of items, filters, maps and ends, each with its code and its wordings.

In code, `x` is the item. In wordings, {np} is a plural noun phrase for what came out of the step before
("even numbers in $xs") and $p a number drawn when the chain is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.teacher.composer.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Source:
    """Where the items come from. args: the arguments of the function. over: what a loop runs over. nouns: what the
    items are called. where: the phrase that places them ("in $xs"). short: a name part. draw, edges: arguments."""

    args: str
    over: str
    nouns: tuple[str, ...]
    where: tuple[str, ...]
    short: str
    draw: Callable[[Inputs], tuple[Any, ...]]
    edges: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items stay. test, negated: conditions on `x`. before: adjective in front of the noun or "". after: relative
    clauses behind it. do: commands. p: range of the number $p, or None. short: a name part."""

    name: str
    test: str
    negated: str
    before: str
    after: tuple[str, ...]
    do: tuple[str, ...]
    p: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """What becomes of an item. code: expression in `x`. of: noun phrases around {np}. do: commands about "each"."""

    name: str
    code: str
    of: tuple[str, ...]
    do: tuple[str, ...]
    p: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How the items become the result. whole: expression around {gen}, a generator's inside. start, step, close: the
    same as a loop, with {v} for the item. of: noun phrases around {np}. do: commands. note: a sentence about the empty
    case, or "". returns: the result's type. plain: whether it only makes sense without a map before it. listed: the
    expression for a list {l} that has a name already, or "" where `whole` can be turned into it."""

    name: str
    returns: str
    whole: str
    start: str
    step: str
    close: str
    of: tuple[str, ...]
    do: tuple[str, ...]
    note: str = ""
    plain: bool = False
    listed: str = ""


SOURCES: dict[str, tuple[Source, ...]] = {
    "numbers": (
        Source(
            "xs: list[int]",
            "$xs",
            ("numbers", "elements", "values", "integers", "entries"),
            ("in $xs", "of $xs", "of the list $xs", "from $xs"),
            "",
            lambda d: (d.ints(-12, 25, 2, 8),),
            (([],), ([4],), ([-3, 2, 7, 10, -8, 15],)),
        ),
        Source(
            "n: int",
            "range(1, $n + 1)",
            ("integers", "numbers", "whole numbers"),
            ("from 1 to $n", "between 1 and $n inclusive", "from 1 up to and including $n"),
            "up_to_n",
            lambda d: (d.integer(2, 30),),
            ((0,), (1,), (10,)),
        ),
        Source(
            "n: int",
            "map(int, str($n))",
            ("digits", "decimal digits"),
            ("of $n", "in $n", "of the non-negative integer $n"),
            "digits",
            lambda d: (d.integer(10, 999999),),
            ((0,), (5,), (2047,)),
        ),
        Source(
            "words: list[str]",
            "map(len, $words)",
            ("lengths",),
            ("of the strings in $words", "of the words in $words", "of the elements of $words"),
            "lengths",
            lambda d: (d.words(2, 5),),
            (([],), ([""],), (["a", "four", "seventy"],)),
        ),
        Source(
            "counts: dict[str, int]",
            "$counts.values()",
            ("values", "numbers"),
            ("in $counts", "stored in $counts", "of the dictionary $counts"),
            "values",
            lambda d: (d.counts(2, 4, -9, 25),),
            (({},), ({"a": 4},), ({"x": -3, "y": 8, "z": 15},)),
        ),
        Source(
            "a: int, b: int",
            "range($a, $b + 1)",
            ("integers", "numbers"),
            (
                "from $a to $b (both included)",
                "between $a and $b, both ends included",
                "in the closed range from $a to $b",
            ),
            "in_range",
            lambda d: (d.integer(-6, 8), d.integer(5, 20)),
            ((1, 5), (3, 2), (7, 7)),
        ),
        Source(
            "grid: list[list[int]]",
            "(cell for row in $grid for cell in row)",
            ("numbers", "cells", "entries"),
            ("in $grid", "of the grid $grid", "in all rows of $grid"),
            "grid",
            lambda d: (d.grid(-9, 20),),
            (([],), ([[5]],), ([[1, -2], [8, 15]],)),
        ),
    ),
    "words": (
        Source(
            "sentence: str",
            "$sentence.split()",
            ("words",),
            ("in $sentence", "of $sentence", "of the sentence $sentence"),
            "words",
            lambda d: (d.sentence(2, 6),),
            (("",), ("level",), ("Noon at the old Mill",)),
        ),
        Source(
            "words: list[str]",
            "$words",
            ("strings", "words", "entries"),
            ("in $words", "of $words", "of the list $words"),
            "strings",
            lambda d: (d.words(2, 6),),
            (([],), (["level"],), (["Apple", "bee", "a", "noon"],)),
        ),
        Source(
            "text: str",
            '$text.split(",")',
            ("parts", "fields"),
            ("of $text (they are separated by commas)", "between the commas of $text"),
            "fields",
            lambda d: (",".join(d.words(2, 5)),),
            (("one",), ("a,bee,noon",), ("Sun,Tue,x",)),
        ),
        Source(
            "counts: dict[str, int]",
            "$counts",
            ("keys",),
            ("of $counts", "in $counts", "of the dictionary $counts"),
            "keys",
            lambda d: (d.counts(2, 5),),
            (({},), ({"noon": 1},), ({"Ana": 3, "bob": 2, "lemon": 0},)),
        ),
    ),
    "characters": (
        Source(
            "text: str",
            "$text",
            ("characters",),
            ("of $text", "in $text", "of the string $text"),
            "",
            lambda d: (d.text(),),
            (("",), ("a",), ("Tea 4 two, OK?",)),
        ),
    ),
}


def _compare(name: str, sign: str, against: str, words: str, low: int, high: int) -> Filter:
    return Filter(
        name,
        f"x {sign} $p",
        f"x {against} $p",
        "",
        (f"that are {words} $p", f"{words} $p", f"which are {words} $p"),
        (f"keep those {words} $p", f"select only what is {words} $p", f"ignore everything that is not {words} $p"),
        (low, high),
    )


FILTERS: dict[str, tuple[Filter, ...]] = {
    "numbers": (
        Filter(
            "even",
            "x % 2 == 0",
            "x % 2 != 0",
            "even",
            ("that are even", "divisible by 2"),
            ("keep the even ones", "throw away the odd ones"),
        ),
        Filter(
            "odd",
            "x % 2 == 1",
            "x % 2 != 1",
            "odd",
            ("that are odd", "which are not even"),
            ("keep the odd ones", "skip the even ones"),
        ),
        Filter(
            "positive",
            "x > 0",
            "x <= 0",
            "positive",
            ("that are positive", "greater than zero"),
            ("keep the positive ones", "drop zeros and negatives"),
        ),
        Filter(
            "nonzero",
            "x != 0",
            "x == 0",
            "non-zero",
            ("that are not 0", "different from zero"),
            ("leave out the zeros", "skip every 0"),
        ),
        Filter(
            "small",
            "x < 10",
            "x >= 10",
            "",
            ("below 10", "that are smaller than 10"),
            ("keep those below 10", "ignore whatever is 10 or more"),
        ),
        Filter(
            "multiples",
            "x % $p == 0",
            "x % $p != 0",
            "",
            ("divisible by $p", "that are multiples of $p", "that $p divides"),
            ("keep the multiples of $p", "select those that $p divides evenly"),
            (3, 7),
        ),
        Filter(
            "not_multiples",
            "x % $p != 0",
            "x % $p == 0",
            "",
            ("not divisible by $p", "that are no multiples of $p"),
            ("remove the multiples of $p", "leave out what is divisible by $p"),
            (3, 5),
        ),
        _compare("above", ">", "<=", "greater than", 2, 9),
        _compare("below", "<", ">=", "less than", 4, 12),
        _compare("at_least", ">=", "<", "at least", 2, 9),
        _compare("at_most", "<=", ">", "at most", 3, 12),
        Filter(
            "not_equal",
            "x != $p",
            "x == $p",
            "",
            ("other than $p", "that are not equal to $p"),
            ("ignore every $p", "skip those equal to $p"),
            (1, 8),
        ),
        Filter(
            "ending",
            "x % 10 == $p",
            "x % 10 != $p",
            "",
            ("whose remainder modulo 10 is $p", "that leave $p when divided by 10"),
            ("keep those that leave the remainder $p when divided by 10",),
            (0, 5),
        ),
    ),
    "words": (
        Filter(
            "long",
            "len(x) > $p",
            "len(x) <= $p",
            "",
            ("longer than $p characters", "with more than $p letters"),
            ("keep those with more than $p characters",),
            (2, 5),
        ),
        Filter(
            "short",
            "len(x) <= $p",
            "len(x) > $p",
            "",
            ("of at most $p characters", "that have no more than $p letters"),
            ("drop those longer than $p characters",),
            (3, 5),
        ),
        Filter(
            "even_length",
            "len(x) % 2 == 0",
            "len(x) % 2 != 0",
            "",
            ("of even length", "with an even number of characters"),
            ("keep those of even length",),
        ),
        Filter(
            "odd_length",
            "len(x) % 2 == 1",
            "len(x) % 2 != 1",
            "",
            ("of odd length", "with an odd number of characters"),
            ("keep those whose length is odd",),
        ),
        Filter(
            "lower",
            "x.islower()",
            "not x.islower()",
            "lower-case",
            ("written in lower case",),
            ("skip those with a capital letter",),
        ),
        Filter(
            "capitalised",
            "x[:1].isupper()",
            "not x[:1].isupper()",
            "capitalised",
            ("that start with a capital letter", "beginning with an upper-case letter"),
            ("keep those that begin with a capital",),
        ),
        Filter(
            "with_e",
            '"e" in x',
            '"e" not in x',
            "",
            ("that contain the letter e", "with an 'e' in them"),
            ("keep those in which the letter e occurs",),
        ),
        Filter(
            "without_a",
            '"a" not in x',
            '"a" in x',
            "",
            ("without the letter a", "that do not contain an 'a'"),
            ("reject those with the letter a",),
        ),
        Filter(
            "starting_b",
            'x.startswith("b")',
            'not x.startswith("b")',
            "",
            ("that start with b", "whose first letter is 'b'"),
            ("keep those starting with b",),
        ),
        Filter(
            "ending_r",
            'x.endswith("r")',
            'not x.endswith("r")',
            "",
            ("that end in r", "whose last letter is 'r'"),
            ("keep those that end with the letter r",),
        ),
        Filter(
            "palindromic",
            "x == x[::-1]",
            "x != x[::-1]",
            "palindromic",
            ("that read the same backwards", "equal to their own reverse"),
            ("keep the palindromes",),
        ),
        Filter(
            "exactly",
            "len(x) == $p",
            "len(x) != $p",
            "",
            ("of exactly $p characters", "whose length is $p"),
            ("keep those that have exactly $p characters",),
            (2, 6),
        ),
    ),
    "characters": (
        Filter(
            "letters",
            "x.isalpha()",
            "not x.isalpha()",
            "",
            ("that are letters",),
            ("keep the letters only", "drop whatever is not a letter"),
        ),
        Filter(
            "digits",
            "x.isdigit()",
            "not x.isdigit()",
            "",
            ("that are digits",),
            ("keep the digits only", "skip everything but digits"),
        ),
        Filter(
            "upper",
            "x.isupper()",
            "not x.isupper()",
            "upper-case",
            ("that are capital letters",),
            ("keep the capitals",),
        ),
        Filter(
            "lower",
            "x.islower()",
            "not x.islower()",
            "lower-case",
            ("that are small letters",),
            ("keep the lower-case letters",),
        ),
        Filter(
            "visible",
            'x != " "',
            'x == " "',
            "",
            ("that are not blanks", "other than spaces"),
            ("leave out the spaces", "skip blanks"),
        ),
        Filter(
            "alnum",
            "x.isalnum()",
            "not x.isalnum()",
            "alphanumeric",
            ("that are letters or digits",),
            ("remove punctuation and blanks",),
        ),
        Filter(
            "in_set",
            'x in "stone"',
            'x not in "stone"',
            "",
            ("that occur in the word 'stone'",),
            ("keep those that are letters of the word 'stone'",),
        ),
        Filter(
            "before_m",
            'x.lower() < "m"',
            'x.lower() >= "m"',
            "",
            ("that come before m in character order once lowered",),
            ("keep those whose lower-case form sorts before 'm'",),
        ),
    ),
}

MAPS: dict[str, tuple[Map, ...]] = {
    "numbers": (
        Map(
            "squares",
            "x * x",
            ("the squares of the {np}", "the squared {np}"),
            ("square each of them", "multiply each one by itself"),
        ),
        Map(
            "cubes",
            "x**3",
            ("the cubes of the {np}", "the third powers of the {np}"),
            ("cube each one", "raise each to the third power"),
        ),
        Map(
            "doubles", "2 * x", ("the doubles of the {np}", "twice the {np}"), ("double each one", "multiply each by 2")
        ),
        Map(
            "scaled",
            "x * $p",
            ("the {np}, each multiplied by $p", "$p times each of the {np}"),
            ("multiply each one by $p",),
            (3, 9),
        ),
        Map(
            "shifted",
            "x + $p",
            ("the {np}, each increased by $p",),
            ("add $p to each", "increase each one by $p"),
            (1, 9),
        ),
        Map(
            "lowered",
            "x - $p",
            ("the {np}, each decreased by $p",),
            ("subtract $p from each", "take $p away from each"),
            (1, 9),
        ),
        Map(
            "negated",
            "-x",
            ("the negatives of the {np}", "the {np} with the opposite sign"),
            ("flip the sign of each", "negate each"),
        ),
        Map(
            "distances",
            "abs(x - $p)",
            ("the distances between $p and each of the {np}", "the absolute differences between $p and the {np}"),
            ("replace each by its distance from $p",),
            (1, 9),
        ),
        Map(
            "remainders",
            "x % $p",
            ("the remainders of the {np} when divided by $p", "the {np} modulo $p"),
            ("take each modulo $p", "replace each by its remainder on division by $p"),
            (3, 7),
        ),
        Map(
            "halves",
            "x // 2",
            ("the halves of the {np}, rounded down",),
            ("halve each, rounding down", "divide each by 2 and forget the remainder"),
        ),
        Map(
            "sizes",
            "abs(x)",
            ("the absolute values of the {np}",),
            ("take the absolute value of each", "drop the sign of each"),
        ),
        Map(
            "capped",
            "min(x, $p)",
            ("the {np}, each capped at $p",),
            ("replace whatever exceeds $p by $p", "limit each to at most $p"),
            (4, 9),
        ),
    ),
    "words": (
        Map(
            "upper",
            "x.upper()",
            ("the {np} in upper case", "the upper-case forms of the {np}"),
            ("write each in capitals", "turn each into upper case"),
        ),
        Map("lower", "x.lower()", ("the {np} in lower case",), ("lower-case each", "change each to small letters")),
        Map(
            "reversed",
            "x[::-1]",
            ("the {np}, each spelt backwards", "the reversed {np}"),
            ("reverse each", "spell each backwards"),
        ),
        Map(
            "initials",
            "x[:1]",
            ("the first letters of the {np}", "the initials of the {np}"),
            ("take the first letter of each", "cut each down to its first character"),
        ),
        Map("last_letters", "x[-1:]", ("the last letters of the {np}",), ("take the last letter of each",)),
        Map(
            "prefixes",
            "x[:$p]",
            ("the first $p characters of each of the {np}",),
            ("shorten each to its first $p characters",),
            (2, 4),
        ),
        Map(
            "capitalised",
            "x.capitalize()",
            ("the {np}, each capitalised",),
            ("capitalise each", "give each a capital first letter"),
        ),
        Map("doubled", "x * 2", ("the {np}, each written twice in a row",), ("repeat each twice",)),
        Map("marked", 'x + "!"', ("the {np}, each followed by an exclamation mark",), ("put a '!' behind each",)),
        Map("tails", "x[1:]", ("the {np} without their first letters",), ("cut off the first letter of each",)),
        Map("quoted", '"<" + x + ">"', ("the {np}, each between angle brackets",), ("wrap each in < and >",)),
    ),
    "characters": (
        Map("upper", "x.upper()", ("the {np} in upper case",), ("make each upper case", "capitalise each of them")),
        Map("lower", "x.lower()", ("the {np} in lower case",), ("make each lower case",)),
        Map("swapped", "x.swapcase()", ("the {np} with their case swapped",), ("swap the case of each",)),
        Map("doubled", "x * 2", ("the {np}, each written twice",), ("write each twice",)),
        Map("tripled", "x * 3", ("the {np}, each three times in a row",), ("repeat each three times",)),
        Map("dashed", 'x + "-"', ("the {np}, each followed by a hyphen",), ("put a hyphen after each",)),
    ),
}

_LIST = End(
    "list",
    "list[{t}]",
    "[{gen}]",
    "result = []",
    "result.append({v})",
    "result",
    ("a list of {np}", "a list with {np} in their original order"),
    ("return them as a list", "collect them in a list"),
)
_COUNT = End(
    "count",
    "int",
    "len([{gen}])",
    "count = 0",
    "count += 1",
    "count",
    ("the number of {np}", "how many {np} there are"),
    ("count them", "return how many there are"),
    plain=True,
)

ENDS: dict[str, tuple[End, ...]] = {
    "numbers": (
        End(
            "sum",
            "int",
            "sum({gen})",
            "total = 0",
            "total += {v}",
            "total",
            ("the sum of {np}", "the total of {np}"),
            ("add them up", "return their sum", "sum the results"),
        ),
        End(
            "largest",
            "int",
            "max(({gen}), default=0)",
            "values = []",
            "values.append({v})",
            "max(values) if values else 0",
            ("the largest of {np}", "the maximum of {np}"),
            ("return the largest one", "pick the greatest"),
            "If there are none, the result is 0.",
        ),
        End(
            "smallest",
            "int",
            "min(({gen}), default=0)",
            "values = []",
            "values.append({v})",
            "min(values) if values else 0",
            ("the smallest of {np}", "the minimum of {np}"),
            ("return the smallest one", "pick the least"),
            "With nothing to choose from, return 0.",
        ),
        _COUNT,
        _LIST,
        End(
            "sorted",
            "list[int]",
            "sorted({gen})",
            "result = []",
            "result.append({v})",
            "sorted(result)",
            ("a sorted list of {np}", "{np} in ascending order"),
            ("sort the results in ascending order", "return them as a list from the smallest to the largest"),
        ),
        End(
            "descending",
            "list[int]",
            "sorted(({gen}), reverse=True)",
            "result = []",
            "result.append({v})",
            "sorted(result, reverse=True)",
            ("{np} in descending order", "a list of {np}, largest first"),
            ("sort the results from the largest to the smallest",),
        ),
        End(
            "distinct",
            "int",
            "len(set({gen}))",
            "seen = set()",
            "seen.add({v})",
            "len(seen)",
            ("the number of different values among {np}", "how many distinct values there are among {np}"),
            ("count the different results",),
        ),
        End(
            "joined",
            "str",
            '"-".join(str(v) for v in [{gen}])',
            "parts = []",
            "parts.append(str({v}))",
            '"-".join(parts)',
            ("{np}, joined by hyphens into one string",),
            ("join them with hyphens into a string",),
        ),
        End(
            "reverse",
            "list[int]",
            "[{gen}][::-1]",
            "result = []",
            "result.insert(0, {v})",
            "result",
            ("a list of {np} in reverse order",),
            ("return them in reverse order as a list",),
        ),
    ),
    "words": (
        _LIST,
        _COUNT,
        End(
            "joined",
            "str",
            '" ".join({gen})',
            "result = []",
            "result.append({v})",
            '" ".join(result)',
            ("a string of {np}, separated by single spaces",),
            ("join them with spaces", "put them into one string with a blank between neighbours"),
        ),
        End(
            "hyphenated",
            "str",
            '"-".join({gen})',
            "result = []",
            "result.append({v})",
            '"-".join(result)',
            ("a string of {np} with hyphens between them",),
            ("join them with hyphens", "connect them by '-'"),
        ),
        End(
            "glued",
            "str",
            '"".join({gen})',
            'result = ""',
            "result += {v}",
            "result",
            ("one string made of {np} without any separator",),
            ("glue them together without a separator",),
        ),
        End(
            "sorted",
            "list[str]",
            "sorted({gen})",
            "result = []",
            "result.append({v})",
            "sorted(result)",
            ("a sorted list of {np}", "{np} in alphabetical order"),
            ("sort them alphabetically",),
        ),
        End(
            "longest",
            "str",
            'max(({gen}), key=len, default="")',
            'best = ""',
            "if len({v}) > len(best):\n    best = {v}",
            "best",
            ("the longest of {np}",),
            ("return the longest one",),
            "Of several equally long ones, the first counts; if there is none, return an empty string.",
        ),
        End(
            "total_length",
            "int",
            "sum(len(part) for part in [{gen}])",
            "total = 0",
            "total += len({v})",
            "total",
            ("the total number of characters in {np}",),
            ("add up their lengths",),
        ),
        End(
            "distinct",
            "int",
            "len(set({gen}))",
            "seen = set()",
            "seen.add({v})",
            "len(seen)",
            ("the number of different strings among {np}",),
            ("count the different results",),
        ),
        End(
            "first",
            "str",
            'next(({gen}), "")',
            "found = []",
            "found.append({v})",
            'found[0] if found else ""',
            ("the first of {np}",),
            ("return the first one",),
            "Return the empty string if there is none.",
            listed='{l}[0] if {l} else ""',
        ),
        End(
            "last",
            "str",
            "",
            'last = ""',
            "last = {v}",
            "last",
            ("the last of {np}",),
            ("return the last one",),
            "Return the empty string if there is none.",
            listed='{l}[-1] if {l} else ""',
        ),
    ),
    "characters": (
        End(
            "string",
            "str",
            '"".join({gen})',
            'result = ""',
            "result += {v}",
            "result",
            ("a string of {np}", "{np}, put together into a new string"),
            ("join them into a new string", "build a string from them"),
        ),
        _COUNT,
        _LIST,
        End(
            "reversed",
            "str",
            '"".join([{gen}][::-1])',
            'result = ""',
            "result = {v} + result",
            "result",
            ("a string of {np} in reverse order",),
            ("string them together in reverse order",),
        ),
        End(
            "sorted",
            "str",
            '"".join(sorted({gen}))',
            "result = []",
            "result.append({v})",
            '"".join(sorted(result))',
            ("a string of {np} in sorted order",),
            ("sort them and join them into a string",),
        ),
        End(
            "distinct",
            "int",
            "len(set({gen}))",
            "seen = set()",
            "seen.add({v})",
            "len(seen)",
            ("the number of different ones among {np}",),
            ("count how many different ones there are",),
        ),
        End(
            "spaced",
            "str",
            '" ".join({gen})',
            "result = []",
            "result.append({v})",
            '" ".join(result)',
            ("a string of {np} with single spaces between them",),
            ("join them with a space between neighbours",),
        ),
    ),
}
