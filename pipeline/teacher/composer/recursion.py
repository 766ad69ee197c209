"""Families on recursion and simple dynamic programming."""

from pipeline.teacher.composer.fragments import Family, cross, options

FAMILIES = (
    Family(
        name="count_ways_to_climb",
        topic="recursion/counting/stairs",
        args="n: int",
        returns="int",
        keywords="ways climb stairs steps count dynamic programming combinations",
        names=("ways_to_climb", "staircase_ways"),
        choices=options(
            "steps words",
            [
                ("(1, 2)", "1 or 2"),
                ("(1, 3)", "1 or 3"),
                ("(1, 2, 3)", "1, 2 or 3"),
                ("(2, 3)", "2 or 3"),
                ("(1, 4)", "1 or 4"),
                ("(1, 5)", "1 or 5"),
                ("(2, 5)", "2 or 5"),
                ("(1, 2, 4)", "1, 2 or 4"),
            ],
        ),
        does=("count the ways to climb a staircase of $n steps if each stride takes $words steps",),
        result=("the number of ordered ways to write $n as a sum whose terms are all $words",),
        says=("A frog jumps $words metres at a time. In how many ways can it cover exactly $n metres?",),
        edge=("There is exactly one way to climb 0 steps.", "The order of the strides matters."),
        bodies=(
            """
            ways = [1] + [0] * $n
            for i in range(1, $n + 1):
                for step in $steps:
                    if step <= i:
                        ways[i] += ways[i - step]
            return ways[$n]
            """,
            """
            if $n < 0:
                return 0
            if $n == 0:
                return 1
            return sum($self($n - step) for step in $steps)
            """,
        ),
        draw=lambda d: (d.integer(1, 9),),
        edges=((0,), (1,), (2,), (5,)),
        skills=("dynamic", "recursion"),
    ),
    Family(
        name="flatten_nested",
        topic="recursion/nested/lists",
        args="tree: list[object]",
        returns="$type",
        keywords="flatten nested list recursion depth sum deep tree",
        names=("nested_$name", "$name_of_nested"),
        choices=options(
            "name type empty one many words",
            [
                (
                    "flat_list",
                    "list[int]",
                    "[]",
                    "[item]",
                    "$self(item)",
                    "a flat list of all numbers in the nested list $tree, from left to right",
                ),
                (
                    "sum",
                    "int",
                    "0",
                    "item",
                    "$self(item)",
                    "the sum of all numbers in the nested list $tree, however deep they are",
                ),
                (
                    "count",
                    "int",
                    "0",
                    "1",
                    "$self(item)",
                    "how many numbers there are in the nested list $tree, on all levels together",
                ),
                (
                    "list_count",
                    "int",
                    "1",
                    "0",
                    "$self(item)",
                    "the number of lists in $tree, counting $tree itself and every list inside it",
                ),
            ],
        ),
        result=("$words",),
        says=("The elements of $tree are numbers or lists of the same kind. Return $words.",),
        edge=("Lists may be empty.",),
        bodies=(
            """
            result = $empty
            for item in $tree:
                if isinstance(item, list):
                    result += $many
                else:
                    result += $one
            return result
            """,
        ),
        draw=lambda d: (
            d.choice(
                (
                    [1, [2, 3]],
                    [[1], [2, [3]]],
                    [d.integer(), [d.integer(), []]],
                    [[[d.integer()]]],
                    [d.integer(), d.ints(0, 9, 1, 3)],
                    [d.ints(0, 9, 1, 2), d.ints(0, 9, 1, 2)],
                )
            ),
        ),
        edges=(([],), ([5],), ([1, [2, [3, 4]], []],)),
        skills=("recursion", "nested-lists"),
    ),
    Family(
        name="nesting_depth",
        topic="recursion/nested/depth",
        args="tree: list[object]",
        returns="int",
        keywords="depth nested list recursion levels deep maximum",
        names=("depth_of_list", "list_depth"),
        result=("the depth of the nested list $tree, where a list without lists inside has depth 1",),
        does=("find how many levels of lists are nested in $tree",),
        says=(
            "Boxes contain numbers and further boxes. If $tree is the outermost box, how many boxes deep can you "
            "reach?",
        ),
        edge=("An empty list has depth 1.",),
        bodies=(
            """
            deepest = 0
            for item in $tree:
                if isinstance(item, list):
                    deepest = max(deepest, $self(item))
            return deepest + 1
            """,
            "return 1 + max(($self(item) for item in $tree if isinstance(item, list)), default=0)",
        ),
        draw=lambda d: (
            d.choice(
                (
                    [1, [2, 3]],
                    [[1], [2, [3]]],
                    [[[[]]]],
                    [d.integer(), []],
                    [[[d.integer()]]],
                    d.ints(),
                    [1, [2], [[3]]],
                )
            ),
        ),
        edges=(([],), ([5],), ([1, [2, [3]]],)),
        skills=("recursion",),
    ),
    Family(
        name="all_subsets",
        topic="recursion/combinatorics/subsets",
        args="xs: list[int]",
        returns="list[list[int]]",
        keywords="subsets pairs combinations all permutations generate choose",
        names=("list_subsets", "generate_subsets"),
        result=(
            "a list of all sublists of $xs that you get by leaving out any elements, beginning with the empty list",
        ),
        does=("generate all subsets of the elements of $xs as lists",),
        says=("For each number in $xs you may take it or not. List all possible choices.",),
        must=("For each element in turn, the subsets without it are followed by the same subsets with it appended.",),
        bodies=(
            """
            result = [[]]
            for x in $xs:
                result = result + [subset + [x] for subset in result]
            return result
            """,
            """
            if not $xs:
                return [[]]
            smaller = $self($xs[:-1])
            return smaller + [subset + [$xs[-1]] for subset in smaller]
            """,
        ),
        draw=lambda d: (d.random.sample(range(1, 10), d.integer(1, 3)),),
        edges=(([],), ([1],), ([1, 2],)),
        skills=("recursion",),
    ),
    Family(
        name="count_digits_recursively",
        topic="recursion/numbers/digits",
        args="n: int",
        returns="int",
        keywords="recursion digits count product sum of number",
        names=("digit_$name", "$name_by_digits"),
        choices=options(
            "name test last words",
            [
                ("product", "$n % 10 * $self($n // 10)", "$n", "the product of the digits of $n"),
                ("nines", "($n % 10 == 9) + $self($n // 10)", "int($n == 9)", "how many digits of $n are equal to 9"),
                (
                    "square_sum",
                    "($n % 10) ** 2 + $self($n // 10)",
                    "$n * $n",
                    "the sum of the squares of the digits of $n",
                ),
                ("maximum", "max($n % 10, $self($n // 10))", "$n", "the largest digit of $n, found recursively"),
                (
                    "alternating_sum",
                    "$n % 10 - $self($n // 10)",
                    "$n",
                    "the last digit of $n minus the last but one plus the one before it, and so on",
                ),
            ],
        ),
        result=("$words",),
        says=("Use recursion to find $words: deal with the last digit and let the function treat the rest.",),
        edge=("$n is zero or positive.",),
        bodies=("if $n < 10:\n    return $last\nreturn $test",),
        draw=lambda d: (d.integer(0, 99999),),
        edges=((0,), (9,), (10,), (1994,)),
        skills=("recursion", "digits"),
    ),
    Family(
        name="pattern_rows",
        topic="recursion/strings/patterns",
        args="n: int",
        returns="list[str]",
        keywords="pattern triangle stars rows strings pyramid draw",
        names=("$name_of_$symbolname", "draw_$name"),
        choices=cross(
            options(
                "name code words",
                [
                    ("triangle", '"$symbol" * i', "one in the first row, two in the second, and so on"),
                    ("odd_rows", '"$symbol" * (2 * i - 1)', "one in the first row and two more in each further row"),
                    (
                        "staircase",
                        '" " * ($n - i) + "$symbol"',
                        "each row has a single one, and it moves one place to the left from row to row, starting "
                        "behind $n - 1 blanks",
                    ),
                ],
            ),
            options("symbol symbolname", [("*", "stars"), ("#", "hashes"), ("x", "crosses"), ("o", "rings")]),
        ),
        does=("build a list of $n strings made of '$symbol': $words",),
        result=("the $n rows of a figure drawn with '$symbol': $words",),
        says=("Draw a figure of $n rows with the character '$symbol' ($words). Return its rows from top to bottom.",),
        edge=("For $n equal to 0 there are no rows.",),
        bodies=(
            "return [$code for i in range(1, $n + 1)]",
            """
            rows = []
            for i in range(1, $n + 1):
                rows.append($code)
            return rows
            """,
        ),
        draw=lambda d: (d.integer(1, 6),),
        edges=((0,), (1,), (2,), (3,)),
        skills=("string-building", "comprehension"),
    ),
)
