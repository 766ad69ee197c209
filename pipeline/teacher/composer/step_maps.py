"""What becomes of the items of a chain."""

from pipeline.teacher.composer.step_parts import Map

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
