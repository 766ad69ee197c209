"""Families that read structured text: settings, numbers in prose, expressions, brackets."""

from pipeline.teacher.composer.fragments import Family, cross, options
from pipeline.teacher.composer.inputs import Inputs

_BRACKETS = options(
    "opening closing kind label",
    [
        ("(", ")", "parentheses", "round brackets"),
        ("[", "]", "square_brackets", "square brackets"),
        ("{", "}", "braces", "curly braces"),
        ("<", ">", "angle_brackets", "angle brackets"),
    ],
)


def _nested(inputs: Inputs, opening: str, closing: str) -> str:
    """A balanced text of up to three groups."""
    groups = [inputs.integer(0, 3) for _ in range(inputs.integer(1, 3))]
    return "".join(opening * depth + inputs.choice("ab+") + closing * depth for depth in groups)


FAMILIES = (
    Family(
        name="parse_settings",
        topic="parsing/key-value/pairs",
        args="text: str",
        returns="dict[str, str]",
        keywords="parse key value pairs settings split dictionary query string",
        names=("parse_pairs", "read_$name"),
        choices=cross(
            options("sep sepname", [(";", "semicolons"), ("&", "ampersands"), (",", "commas"), ("|", "vertical bars")]),
            options(
                "eq name eqname",
                [("=", "assignments", "an equals sign"), (":", "fields", "a colon"), ("->", "rules", "an arrow '->'")],
            ),
        ),
        does=(
            "parse $text, which holds entries separated by $sepname, each a key and a value with $eqname between them",
        ),
        result=(
            "a dictionary of the entries in $text, where entries are separated by $sepname and keys from values by "
            "$eqname",
        ),
        says=(
            "In $text, $sepname separate the entries, and $eqname stands between a name and its value. Read all "
            "into a dictionary.",
        ),
        edge=("An empty $text gives an empty dictionary.", "If a key comes twice, its last value counts."),
        bodies=(
            """
            result = {}
            for part in $text.split("$sep"):
                if part:
                    key, value = part.split("$eq")
                    result[key] = value
            return result
            """,
            """
            if not $text:
                return {}
            return dict(part.split("$eq") for part in $text.split("$sep"))
            """,
        ),
        draw=lambda d: (d.slot("sep").join(f"{w}{d.slot('eq')}{d.integer(0, 30)}" for w in d.words(1, 3)),),
        edges=(("",),),
        skills=("parsing", "split"),
    ),
    Family(
        name="sum_of_numbers_in_text",
        topic="parsing/numbers/extraction",
        args="text: str",
        returns="$type",
        keywords="extract numbers text digits sum regex parse find integers",
        names=("$name_in_text", "extract_$name"),
        choices=options(
            "name type code words",
            [
                ("number_sum", "int", "sum(found)", "the sum of all"),
                ("largest_number", "int", "max(found, default=0)", "the largest of all (0 if there are none)"),
                ("number_list", "list[int]", "found", "the list of all"),
                ("number_count", "int", "len(found)", "the number of"),
                ("reversed_numbers", "list[int]", "found[::-1]", "the list, last one first, of all"),
                ("sorted_numbers", "list[int]", "sorted(found)", "the sorted list of all"),
            ],
        ),
        result=("$words whole numbers written in $text",),
        does=("find the whole numbers in $text and ^return $words numbers found",),
        says=(
            "Letters and numbers are mixed in $text; digits that stand together form one number. Return $words "
            "numbers.",
        ),
        edge=("There are no signs or decimal points to care about.",),
        bodies=(
            """
            found = [int(part) for part in re.findall(r"[0-9]+", $text)]
            return $code
            """,
            """
            found = []
            digits = ""
            for c in $text + " ":
                if c.isdigit():
                    digits += c
                elif digits:
                    found.append(int(digits))
                    digits = ""
            return $code
            """,
        ),
        draw=lambda d: (
            d.choice((" ", "x", ", ")).join(
                d.choice((d.word(), str(d.integer(0, 60)))) for _ in range(d.integer(1, 5))
            ),
        ),
        edges=(("",), ("abc",), ("12",), ("a1b22c3",)),
        skills=("parsing", "regex"),
    ),
    Family(
        name="evaluate_$name",
        topic="parsing/expressions/arithmetic",
        args="text: str",
        returns="int",
        keywords="evaluate expression plus minus calculator parse arithmetic",
        names=("calculate_$name", "$name_calculator"),
        choices=options(
            "name signs words",
            [
                ("sum", "+", "plus signs"),
                ("product", "*", "stars, which mean multiplication"),
                ("chain", "+-", "plus and minus signs"),
            ],
        ),
        does=("evaluate $text, in which whole numbers are connected by $words",),
        result=("the value of the expression $text, which contains whole numbers and $words, separated by spaces",),
        says=("A pupil writes $text on the board: numbers with $words between them. What is the result?",),
        must=("Numbers and signs are separated by single spaces.",),
        bodies=(
            """
            parts = $text.split()
            result = int(parts[0])
            for i in range(1, len(parts), 2):
                value = int(parts[i + 1])
                if parts[i] == "+":
                    result += value
                elif parts[i] == "-":
                    result -= value
                else:
                    result *= value
            return result
            """,
        ),
        draw=lambda d: (
            str(d.integer(0, 9))
            + "".join(f" {d.choice(d.slot('signs'))} {d.integer(0, 9)}" for _ in range(d.integer(1, 4))),
        ),
        edges=(("7",),),
        skills=("parsing", "split"),
    ),
    Family(
        name="balanced_$kind",
        topic="parsing/brackets/balance",
        args="text: str",
        returns="bool",
        keywords="brackets parentheses balanced matching nesting check",
        names=("are_$kind_balanced", "check_$kind"),
        choices=_BRACKETS,
        cond=(
            "the $label in $text are balanced",
            "each '$opening' in $text is closed by a later '$closing' and no '$closing' comes too early",
        ),
        says=(
            "An editor warns of unclosed $label. Return True if $text would raise no warning, also none about "
            "stray '$closing'.",
        ),
        edge=("All other characters are ignored.", "Text without $label is fine."),
        bodies=(
            """
            depth = 0
            for c in $text:
                if c == "$opening":
                    depth += 1
                elif c == "$closing":
                    depth -= 1
                    if depth < 0:
                        return False
            return depth == 0
            """,
            """
            stack = []
            for c in $text:
                if c == "$opening":
                    stack.append(c)
                elif c == "$closing":
                    if not stack:
                        return False
                    stack.pop()
            return not stack
            """,
        ),
        draw=lambda d: (d.letters(d.slot("opening") + d.slot("closing") + "a", 2, 6),),
        edges=(("",), ("([{<>}])",), (")]}>([{<",), ("a(((",)),
        skills=("stack", "early-return"),
    ),
    Family(
        name="depth_of_$kind",
        topic="parsing/brackets/depth",
        args="text: str",
        returns="int",
        keywords="brackets parentheses depth nesting deepest maximum level",
        names=("nesting_of_$kind", "deepest_$kind"),
        choices=_BRACKETS,
        result=(
            "the greatest depth to which $label are nested in $text",
            "the largest number of $label that are open at the same time in $text",
        ),
        does=("find out how deeply $label are nested in $text at most",),
        says=("Each '$opening' in $text leads one floor down and each '$closing' one floor up. How deep do you get?",),
        edge=("The $label in $text are balanced.", "Without any $label the depth is 0."),
        bodies=(
            """
            depth = 0
            deepest = 0
            for c in $text:
                if c == "$opening":
                    depth += 1
                    deepest = max(deepest, depth)
                elif c == "$closing":
                    depth -= 1
            return deepest
            """,
        ),
        draw=lambda d: (_nested(d, d.slot("opening"), d.slot("closing")),),
        edges=(("",), ("abc",)),
        skills=("stack", "best-so-far"),
    ),
)
