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
        name="fewest_coins",
        topic="dynamic-programming/coins/minimum",
        args="n: int",
        returns="int",
        keywords="coins change fewest minimum amount pay dynamic programming",
        names=("minimum_coins", "coin_count"),
        choices=options(
            "coins words",
            [
                ("(1, 3, 4)", "1, 3 and 4"),
                ("(1, 5, 7)", "1, 5 and 7"),
                ("(1, 4, 6)", "1, 4 and 6"),
                ("(1, 2, 5)", "1, 2 and 5"),
                ("(1, 6, 10)", "1, 6 and 10"),
                ("(1, 5, 8)", "1, 5 and 8"),
                ("(1, 3, 7)", "1, 3 and 7"),
            ],
        ),
        does=("find the smallest number of coins that pay exactly $n, where the coins are worth $words",),
        result=("the least number of coins with values $words that add up to $n",),
        says=("In a country there are coins of $words. How few of them make $n?",),
        edge=("Nothing is needed to pay 0.", "Every kind of coin may be used as often as you like."),
        bodies=(
            """
            fewest = [0]
            for amount in range(1, $n + 1):
                fewest.append(1 + min(fewest[amount - coin] for coin in $coins if coin <= amount))
            return fewest[$n]
            """,
            """
            if $n == 0:
                return 0
            return 1 + min($self($n - coin) for coin in $coins if coin <= $n)
            """,
        ),
        draw=lambda d: (d.integer(1, 15),),
        edges=((0,), (1,), (8,), (12,)),
        skills=("dynamic", "recursion"),
    ),
    Family(
        name="ways_to_pay",
        topic="dynamic-programming/coins/counting",
        args="n: int",
        returns="int",
        keywords="coins change ways count combinations amount",
        names=("count_change", "number_of_payments"),
        choices=options(
            "coins words",
            [
                ("(1, 2)", "1 and 2"),
                ("(1, 2, 5)", "1, 2 and 5"),
                ("(1, 5)", "1 and 5"),
                ("(2, 3)", "2 and 3"),
                ("(1, 3, 4)", "1, 3 and 4"),
                ("(2, 5, 6)", "2, 5 and 6"),
            ],
        ),
        does=("count the different sets of coins worth $words that add up to $n",),
        result=("the number of ways to pay $n with coins of $words when the order of the coins does not matter",),
        says=("You own plenty of coins of $words. How many different handfuls of them are worth exactly $n?",),
        edge=("There is one way to pay 0: with no coin at all.",),
        bodies=(
            """
            ways = [1] + [0] * $n
            for coin in $coins:
                for amount in range(coin, $n + 1):
                    ways[amount] += ways[amount - coin]
            return ways[$n]
            """,
        ),
        draw=lambda d: (d.integer(1, 20),),
        edges=((0,), (1,), (7,), (10,)),
        skills=("dynamic",),
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
        name="common_subsequence_length",
        topic="dynamic-programming/strings/subsequences",
        args="a: str, b: str",
        returns="int",
        keywords="longest common subsequence length strings dynamic programming",
        names=("longest_common_subsequence", "lcs_length"),
        result=("the length of the longest string that can be obtained from both $a and $b by deleting characters",),
        does=("find the length of the longest common subsequence of $a and $b",),
        says=(
            "Delete letters from $a and from $b until both read the same. How long can the remaining text be at most?",
        ),
        edge=("If they share no character, the answer is 0.",),
        bodies=(
            """
            if not $a or not $b:
                return 0
            if $a[-1] == $b[-1]:
                return 1 + $self($a[:-1], $b[:-1])
            return max($self($a[:-1], $b), $self($a, $b[:-1]))
            """,
            """
            lengths = [[0] * (len($b) + 1) for _ in range(len($a) + 1)]
            for i in range(len($a)):
                for j in range(len($b)):
                    if $a[i] == $b[j]:
                        lengths[i + 1][j + 1] = lengths[i][j] + 1
                    else:
                        lengths[i + 1][j + 1] = max(lengths[i][j + 1], lengths[i + 1][j])
            return lengths[-1][-1]
            """,
        ),
        draw=lambda d: (d.letters("abc", 1, 5), d.letters("abcd", 1, 5)),
        edges=(("", "abc"), ("abc", "abc"), ("abcd", "bd")),
        skills=("dynamic", "recursion"),
    ),
    Family(
        name="best_sum_without_neighbours",
        topic="dynamic-programming/lists/choices",
        args="xs: list[int]",
        returns="int",
        keywords="maximum sum non adjacent neighbours choose dynamic programming",
        names=("max_nonadjacent_sum", "largest_spaced_sum"),
        result=("the largest sum of elements of $xs of which no two are neighbours",),
        does=(
            "choose elements of $xs, never two neighbours, so that their sum is as large as possible, and ^return "
            "that sum",
        ),
        says=("Seats in a row have the values $xs, but no two adjacent seats may be taken. What is the best total?",),
        edge=("Choosing nothing gives 0.",),
        bodies=(
            """
            best, previous = 0, 0
            for x in $xs:
                best, previous = max(best, previous + x), best
            return best
            """,
            """
            if not $xs:
                return 0
            return max($self($xs[1:]), $xs[0] + $self($xs[2:]))
            """,
        ),
        draw=lambda d: (d.ints(0, 12, 1, 6),),
        edges=(([],), ([5],), ([2, 9, 4],), ([3, 1, 1, 8],)),
        skills=("dynamic", "recursion"),
    ),
    Family(
        name="largest_block_sum",
        topic="dynamic-programming/lists/blocks",
        args="xs: list[int]",
        returns="int",
        keywords="maximum subarray sum consecutive block best contiguous",
        names=("max_block_sum", "best_stretch"),
        choices=options("which code start", [("largest", "max", 0), ("smallest", "min", 0)]),
        result=("the $which sum of a block of consecutive elements of $xs",),
        does=("find the $which sum that neighbouring elements of $xs can have together",),
        says=("Mark one unbroken stretch of $xs. What is the $which total that a stretch can have?",),
        must=("The empty block, with sum 0, is allowed.", "A block may be empty; its sum is 0."),
        bodies=(
            """
            best = 0
            current = 0
            for x in $xs:
                current = $code(0, current + x)
                best = $code(best, current)
            return best
            """,
            """
            best = 0
            for i in range(len($xs)):
                for j in range(i + 1, len($xs) + 1):
                    best = $code(best, sum($xs[i:j]))
            return best
            """,
        ),
        draw=lambda d: (d.ints(-9, 9, 2, 7),),
        edges=(([],), ([-3],), ([2, -1, 3],)),
        skills=("dynamic", "best-so-far"),
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
    Family(
        name="pascal_row",
        topic="recursion/numbers/triangles",
        args="n: int",
        returns="list[int]",
        keywords="pascal triangle row numbers previous neighbours sums",
        names=("triangle_row", "row_of_triangle"),
        choices=options(
            "end code words",
            [
                (1, "x + y", "the sum of the two numbers above it"),
                (2, "x + y", "the sum of the two numbers above it"),
                (1, "x + y + 1", "the sum of the two numbers above it plus 1"),
                (1, "x * y + 1", "the product of the two numbers above it plus 1"),
                (3, "x + y", "the sum of the two numbers above it"),
            ],
        ),
        result=("row $n of the triangle whose rows start and end with $end and in which every other number is $words",),
        does=(
            "build row $n of a number triangle with $end at both ends of each row and inside, at each place, $words",
        ),
        says=("A triangle of numbers has $end along its two sides; inside, each number is $words. Return row $n.",),
        edge=("Row 0 is [$end].",),
        bodies=(
            """
            row = [$end]
            for _ in range($n):
                inner = [$code for x, y in zip(row, row[1:])]
                row = [$end] + inner + [$end]
            return row
            """,
            """
            if $n == 0:
                return [$end]
            above = $self($n - 1)
            inner = [$code for x, y in zip(above, above[1:])]
            return [$end] + inner + [$end]
            """,
        ),
        draw=lambda d: (d.integer(1, 5),),
        edges=((0,), (1,), (2,), (4,)),
        skills=("recursion", "neighbours"),
    ),
)
