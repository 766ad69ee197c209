"""Families on pairs and runs of list elements, and on lists under a condition."""

from pipeline.teacher.composer.fragments import Family, cross, options

FAMILIES = (
    Family(
        name="$quantor_$prop",
        topic="lists/conditions/all-any",
        args="xs: list[int]",
        returns="bool",
        keywords="all any none every element condition check some",
        names=("are_$quantor_$prop", "check_$quantor_$prop"),
        choices=cross(
            options(
                "quantor code negate stop final words",
                [
                    ("all", "all", "not ", "False", "True", "every element of $xs is"),
                    ("any", "any", "", "True", "False", "at least one element of $xs is"),
                    ("none", "not any", "", "False", "True", "no element of $xs is"),
                ],
            ),
            options(
                "prop test adjective",
                [
                    ("even", "x % 2 == 0", "even"),
                    ("odd", "x % 2 == 1", "odd"),
                    ("positive", "x > 0", "positive"),
                    ("negative", "x < 0", "negative"),
                    ("zero", "x == 0", "zero"),
                ],
            ),
        ),
        cond=("$words $adjective",),
        says=(
            "Is it the case that $words $adjective? Return a boolean.",
            "Look at $xs and return True in case $words $adjective.",
        ),
        edge=("For an empty list the answer is $final.",),
        bodies=(
            "return $code($test for x in $xs)",
            """
            for x in $xs:
                if $negate($test):
                    return $stop
            return $final
            """,
        ),
        draw=lambda d: (
            d.choice(
                (
                    d.ints(-9, 9, 1, 4),
                    [2 * x for x in d.ints(1, 6, 1, 4)],
                    [2 * x + 1 for x in d.ints(-9, -2, 1, 3)],
                    [0, 0],
                    [0, 3],
                )
            ),
        ),
        edges=(([],), ([1],), ([-2, 0],)),
        skills=("all-any", "early-return"),
    ),
    Family(
        name="longest_increasing_run",
        topic="lists/runs/length",
        args="xs: list[int]",
        returns="int",
        keywords="longest increasing run streak consecutive",
        names=("longest_$name_streak", "max_$name_run"),
        choices=options(
            "name sign words",
            [("rising", ">", "greater than"), ("falling", "<", "less than"), ("level", "==", "equal to")],
        ),
        result=("the length of the longest stretch of neighbours in $xs in which each is $words the one before",),
        does=("measure the longest unbroken part of $xs where every element is $words its predecessor",),
        says=(
            "How many numbers long is the longest part of $xs, without gaps, in which each number is $words the last?",
        ),
        edge=("A single element is a stretch of length 1, an empty list gives 0.",),
        bodies=(
            """
            best = 0
            count = 0
            for i in range(len($xs)):
                if i > 0 and $xs[i] $sign $xs[i - 1]:
                    count += 1
                else:
                    count = 1
                best = max(best, count)
            return best
            """,
        ),
        draw=lambda d: (d.ints(0, 6, 2, 9),),
        edges=(([],), ([4],), ([1, 2, 3, 1],), ([5, 5, 4, 3],)),
        skills=("runs", "best-so-far"),
    ),
    Family(
        name="best_trade",
        topic="lists/scanning/profit",
        args="xs: list[int]",
        returns="int",
        keywords="profit buy sell stock price trade maximum later",
        names=("max_profit", "largest_gain"),
        result=("the largest value of a later element of $xs minus an earlier one",),
        does=("find the greatest gain that buying once and selling later at the prices in $xs can bring",),
        says=(
            "$xs lists the price of a share day by day. You buy on one day and sell on a later one: what is the "
            "best profit?",
        ),
        must=("If every trade would lose money, the answer is 0.",),
        bodies=(
            """
            best = 0
            for i in range(len($xs)):
                for j in range(i + 1, len($xs)):
                    best = max(best, $xs[j] - $xs[i])
            return best
            """,
            """
            if not $xs:
                return 0
            best = 0
            lowest = $xs[0]
            for x in $xs:
                lowest = min(lowest, x)
                best = max(best, x - lowest)
            return best
            """,
        ),
        draw=lambda d: (d.ints(1, 20, 2, 7),),
        edges=(([],), ([5],), ([9, 7, 2],), ([3, 8, 1, 5],)),
        skills=("best-so-far", "nested-loops"),
    ),
    Family(
        name="count_pairs_with_$what",
        topic="lists/pairs/counting",
        args="xs: list[int], target: int",
        returns="int",
        keywords="count pairs sum difference product target two elements",
        names=("pairs_with_$what", "number_of_pairs"),
        choices=options(
            "what code words",
            [
                ("sum", "x + y == $target", "sum is"),
                ("difference", "abs(x - y) == $target", "absolute difference is"),
                ("product", "x * y == $target", "product is"),
            ],
        ),
        does=("count the pairs of elements of $xs whose $words $target",),
        result=("the number of ways to choose two positions in $xs so that their $words $target",),
        says=("Take two different positions of $xs. For how many such choices is it true that the $words $target?",),
        edge=("Equal numbers at different positions form different pairs.", "The order within a pair does not matter."),
        bodies=(
            """
            count = 0
            for i in range(len($xs)):
                for j in range(i + 1, len($xs)):
                    x, y = $xs[i], $xs[j]
                    if $code:
                        count += 1
            return count
            """,
            "return sum(1 for x, y in combinations($xs, 2) if $code)",
        ),
        draw=lambda d: (d.ints(0, 6, 2, 6), d.integer(0, 8)),
        edges=(([], 3), ([3], 3), ([1, 2, 3, 2], 4), ([1, 2, 2, 4], 2)),
        skills=("nested-loops", "counter"),
    ),
)
