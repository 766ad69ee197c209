"""Families on simple dynamic programming and number triangles."""

from pipeline.teacher.composer.fragments import Family, options

FAMILIES = (
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
        name="$which_block_sum",
        topic="dynamic-programming/lists/blocks",
        args="xs: list[int]",
        returns="int",
        keywords="maximum subarray sum consecutive block best contiguous",
        names=("$which_stretch",),
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
