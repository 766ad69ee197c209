"""Families that make a new list out of a given one."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="neighbour_$what",
        topic="lists/neighbours/derived",
        args="xs: list[int]",
        returns="list[int]",
        keywords="differences sums neighbours adjacent consecutive pairs",
        names=("adjacent_$what", "$what_of_neighbours"),
        choices=options(
            "what code words",
            [
                ("sums", "x + y", "the sum of each element and its successor"),
                ("differences", "y - x", "the difference between each element and the one before it"),
                ("products", "x * y", "the product of each two neighbours"),
                ("maxima", "max(x, y)", "the larger of each two neighbours"),
                ("minima", "min(x, y)", "the smaller of each two neighbours"),
            ],
        ),
        result=("a list with $words in $xs", "the list of $what of neighbouring elements of $xs"),
        does=("compute $words in $xs and ^collect the values in a list",),
        says=("From each two elements of $xs that stand side by side make one number: $words. List these numbers.",),
        edge=("The result is one shorter than $xs.", "Fewer than two elements give an empty list."),
        bodies=(
            "return [$code for x, y in zip($xs, $xs[1:])]",
            """
            result = []
            for i in range(len($xs) - 1):
                x, y = $xs[i], $xs[i + 1]
                result.append($code)
            return result
            """,
        ),
        draw=lambda d: (d.ints(-5, 12, 2, 6),),
        edges=(([],), ([3],), ([1, 4, 9],)),
        skills=("neighbours", "comprehension"),
    ),
    Family(
        name="running_$what",
        topic="lists/accumulation/prefixes",
        args="xs: list[int]",
        returns="list[int]",
        keywords="running total cumulative prefix sum product minimum",
        names=("cumulative_$what", "prefix_$what"),
        choices=options(
            "what code words acc",
            [
                ("total", "value + x", "sum", "accumulate($xs)"),
                ("product", "value * x", "product", "accumulate($xs, lambda a, b: a * b)"),
                ("minimum", "min(value, x)", "minimum", "accumulate($xs, min)"),
            ],
        ),
        result=(
            "a list whose entry at index i is the $words of the first i + 1 elements of $xs",
            "the running $what of $xs",
        ),
        does=("replace each element of $xs by the $words of all elements up to and including it",),
        says=("Keep a $what while you go through $xs and note its value after every element. Return the notes.",),
        edge=("An empty list has no running $what.",),
        bodies=(
            """
            result = []
            for x in $xs:
                if not result:
                    result.append(x)
                else:
                    value = result[-1]
                    result.append($code)
            return result
            """,
            "return list($acc)",
            """
            result = $xs[:1]
            for x in $xs[1:]:
                value = result[-1]
                result.append($code)
            return result
            """,
        ),
        draw=lambda d: (d.ints(-4, 9, 2, 6),),
        edges=(([],), ([3],), ([2, -1, 4],)),
        skills=("accumulator", "prefix"),
    ),
    Family(
        name="split_into_chunks",
        topic="lists/slicing/chunks",
        args="xs: list[int]",
        returns="list[list[int]]",
        keywords="chunks split groups size parts batches",
        names=("chunk_by_$k", "groups_of_$k"),
        choices=each("k", (2, 3, 4, 5, 6)),
        does=("split $xs into consecutive parts of $k elements",),
        result=("a list of the parts that you get by cutting $xs after every $k elements",),
        says=(
            "Pack the numbers of $xs into boxes of $k in order; the last box may stay partly empty. Return the boxes.",
        ),
        edge=("The last part may be shorter.", "An empty list gives no parts."),
        bodies=(
            "return [$xs[i : i + $k] for i in range(0, len($xs), $k)]",
            """
            result = []
            for i in range(0, len($xs), $k):
                result.append($xs[i : i + $k])
            return result
            """,
            """
            result = []
            while $xs:
                result.append($xs[:$k])
                $xs = $xs[$k:]
            return result
            """,
        ),
        draw=lambda d: (d.ints(0, 9, 2, 9),),
        edges=(([],), ([1],), ([1, 2, 3, 4, 5, 6, 7],)),
        skills=("chunks", "slicing"),
    ),
    Family(
        name="window_$what",
        topic="lists/slicing/windows",
        args="xs: list[int]",
        returns="list[int]",
        keywords="sliding window sums maximum minimum moving consecutive",
        names=("sliding_window_$what", "moving_$what"),
        choices=cross(
            options(
                "what code word", [("sums", "sum", "sum"), ("maxima", "max", "maximum"), ("minima", "min", "minimum")]
            ),
            each("k", (2, 3, 4)),
        ),
        result=(
            "a list with the $word of every $k consecutive elements of $xs",
            "the $what of all windows of length $k in $xs, from left to right",
        ),
        does=("slide a window of $k elements over $xs and ^note the $word of each position",),
        says=("Look at $k neighbours of $xs at a time, moving on by one. Write down the $word of each look.",),
        edge=("If $xs has fewer than $k elements, the list is empty.",),
        bodies=(
            "return [$code($xs[i : i + $k]) for i in range(len($xs) - $k + 1)]",
            """
            result = []
            for i in range(len($xs) - $k + 1):
                result.append($code($xs[i : i + $k]))
            return result
            """,
        ),
        draw=lambda d: (d.ints(-3, 12, 2, 7),),
        edges=(([],), ([1, 2],), ([4, 1, 3, 2],)),
        skills=("windows", "slicing"),
    ),
    Family(
        name="rotate_list",
        topic="lists/slicing/rotation",
        args="xs: list[int], k: int",
        returns="list[int]",
        keywords="rotate list shift cyclic left right places",
        names=("rotate_list_$side", "shift_list_$side"),
        choices=options(
            "side code from to",
            [("left", "$k % len($xs)", "front", "end"), ("right", "-$k % len($xs)", "end", "front")],
        ),
        does=("rotate $xs by $k positions to the $side", "move $k elements of $xs from the $from to the $to"),
        result=("a list with the elements of $xs rotated $k places to the $side",),
        says=("The people in $xs stand in a circle and the list is read from another start, $k places to the $side.",),
        edge=("$k may exceed the length of the list.", "The given list is not changed."),
        bodies=(
            """
            if not $xs:
                return []
            i = $code
            return $xs[i:] + $xs[:i]
            """,
        ),
        draw=lambda d: (d.ints(0, 9, 2, 6), d.integer(0, 8)),
        edges=(([], 2), ([1, 2, 3], 1), ([1, 2, 3], 3), ([1, 2], 5)),
        skills=("slicing", "remainder"),
    ),
    Family(
        name="move_to_end",
        topic="lists/filtering/partition",
        args="xs: list[int]",
        returns="list[int]",
        keywords="move zeros end front partition keep order negatives evens first",
        names=("$name_to_the_end", "move_$name_to_end"),
        choices=options(
            "name label test",
            [
                ("zeros", "zeros", "x == 0"),
                ("negatives", "negative numbers", "x < 0"),
                ("evens", "even numbers", "x % 2 == 0"),
                ("odds", "odd numbers", "x % 2 == 1"),
                ("ones", "ones", "x == 1"),
                ("multiples_of_three", "multiples of 3", "x % 3 == 0"),
            ],
        ),
        does=("move all $label of $xs to the end",),
        result=("a list with the same elements as $xs in which the $label come last",),
        says=("The numbers in $xs queue up. All $label are sent to the back of the queue.",),
        must=("Both groups keep their order.", "The relative order within both groups stays the same."),
        bodies=(
            "return [x for x in $xs if not $test] + [x for x in $xs if $test]",
            "return sorted($xs, key=lambda x: $test)",
            """
            front = []
            back = []
            for x in $xs:
                if $test:
                    back.append(x)
                else:
                    front.append(x)
            return front + back
            """,
        ),
        draw=lambda d: (d.ints(-3, 6, 2, 7),),
        edges=(([],), ([0, 1],), ([0, 3, -1, 2, 0, 1],)),
        skills=("partition", "sorting"),
    ),
    Family(
        name="unique_in_order",
        topic="lists/sets/duplicates",
        args="xs: list[int]",
        returns="list[int]",
        keywords="unique duplicates remove distinct order dedupe first occurrence",
        names=("drop_repeats", "distinct_values"),
        does=("drop every element of $xs that has already occurred earlier in the list",),
        result=("the different elements of $xs in the order of their first appearance",),
        says=(
            "Guests sign $xs with their number, some several times. Make the list in which each stands once, at "
            "first signing.",
        ),
        edge=("The order of first appearances is kept.",),
        bodies=(
            "return list(dict.fromkeys($xs))",
            """
            result = []
            for x in $xs:
                if x not in result:
                    result.append(x)
            return result
            """,
            """
            seen = set()
            result = []
            for x in $xs:
                if x not in seen:
                    seen.add(x)
                    result.append(x)
            return result
            """,
        ),
        draw=lambda d: (d.ints(0, 5, 2, 8),),
        edges=(([],), ([2, 2, 2],), ([3, 1, 3, 2, 1],)),
        skills=("set",),
    ),
    Family(
        name="combine_lists",
        topic="lists/pairs/elementwise",
        args="xs: list[int], ys: list[int]",
        returns="list[int]",
        keywords="combine two lists elementwise pairwise zip add maximum",
        names=("elementwise_$what", "pairwise_$what"),
        choices=options(
            "what code words",
            [
                ("sum", "x + y", "sum"),
                ("maximum", "max(x, y)", "larger"),
                ("minimum", "min(x, y)", "smaller"),
                ("product", "x * y", "product"),
                ("distance", "abs(x - y)", "absolute difference"),
            ],
        ),
        result=("a list whose element at each position is the $words of the two elements of $xs and $ys there",),
        does=("combine $xs and $ys position by position, taking the $words of each two elements",),
        says=("Put $xs and $ys side by side and take from each row the $words of the two numbers.",),
        edge=("If one list is longer, its extra elements are ignored.",),
        bodies=(
            "return [$code for x, y in zip($xs, $ys)]",
            """
            result = []
            for i in range(min(len($xs), len($ys))):
                x, y = $xs[i], $ys[i]
                result.append($code)
            return result
            """,
        ),
        draw=lambda d: (d.ints(0, 9, 1, 4), d.ints(0, 9, 2, 4)),
        edges=(([], [1]), ([2], [3]), ([1, 5, 3], [4, 2, 3])),
        skills=("zip",),
    ),
    Family(
        name="take_while",
        topic="lists/search/prefixes",
        args="xs: list[int]",
        returns="list[int]",
        keywords="take while drop until prefix first beginning stop",
        names=("take_while_$name", "leading_$name"),
        choices=options(
            "name test words",
            [
                ("small", "x < 10", "below 10"),
                ("positive", "x > 0", "positive"),
                ("even", "x % 2 == 0", "even"),
                ("nonzero", "x != 0", "different from 0"),
                ("odd", "x % 2 == 1", "odd"),
                ("single_digit", "0 <= x <= 9", "from 0 to 9"),
            ],
        ),
        does=("take elements from the front of $xs as long as they are $words",),
        result=("the longest beginning of $xs in which all elements are $words",),
        says=("Read $xs from the left and stop before the first number that is not $words. Return what you read.",),
        edge=("If the first element does not qualify, the result is empty.",),
        bodies=(
            """
            result = []
            for x in $xs:
                if not ($test):
                    break
                result.append(x)
            return result
            """,
            """
            for i, x in enumerate($xs):
                if not ($test):
                    return $xs[:i]
            return $xs
            """,
        ),
        draw=lambda d: (
            d.choice(
                (
                    d.ints(0, 14, 2, 6),
                    [2 * x for x in d.ints(1, 4)] + d.ints(),
                    [2 * x + 1 for x in d.ints(0, 4)] + d.ints(),
                )
            ),
        ),
        edges=(([],), ([12, 1],), ([2, 4, 5, 6],), ([1, 3, 0, 5],)),
        skills=("early-return",),
    ),
    Family(
        name="indices_where",
        topic="lists/search/indices",
        args="xs: list[int]",
        returns="list[int]",
        keywords="indices positions where condition enumerate find all",
        names=("positions_of_$name", "indices_of_$name"),
        choices=options(
            "name test words",
            [
                ("evens", "x % 2 == 0", "is even"),
                ("odds", "x % 2 == 1", "is odd"),
                ("negatives", "x < 0", "is negative"),
                ("zeros", "x == 0", "is zero"),
                ("large_values", "x > 9", "is greater than 9"),
            ],
        ),
        result=(
            "the list of all indices of $xs at which the element $words",
            "the positions in $xs where the element $words",
        ),
        does=("find every position in $xs whose element $words",),
        says=("Number the elements of $xs 0, 1, 2, ... and note the number wherever the element $words.",),
        edge=("The list is empty if there is no such element.",),
        bodies=(
            "return [i for i, x in enumerate($xs) if $test]",
            """
            result = []
            for i in range(len($xs)):
                x = $xs[i]
                if $test:
                    result.append(i)
            return result
            """,
        ),
        draw=lambda d: (d.ints(-6, 14, 2, 7),),
        edges=(([],), ([0],), ([2, -3, 0, 15],)),
        skills=("enumerate",),
    ),
    Family(
        name="repeat_by_value",
        topic="lists/building/repetition",
        args="xs: list[int]",
        returns="list[int]",
        keywords="repeat each value times list duplicate expand",
        names=("repeat_each", "expand_counts"),
        does=("build a list in which each number of $xs is repeated as often as its own value says",),
        result=("a list that contains every element x of $xs x times in a row",),
        says=("A 3 in $xs becomes 3, 3, 3 and a 1 stays a single 1. Write out the whole list.",),
        edge=("Zeros vanish; there are no negative numbers.",),
        bodies=(
            "return [x for x in $xs for _ in range(x)]",
            """
            result = []
            for x in $xs:
                result.extend([x] * x)
            return result
            """,
            """
            result = []
            for x in $xs:
                result += [x] * x
            return result
            """,
        ),
        draw=lambda d: (d.ints(0, 4, 1, 4),),
        edges=(([],), ([0],), ([1, 3],)),
        skills=("comprehension",),
    ),
    Family(
        name="swap_halves",
        topic="lists/slicing/halves",
        args="xs: list[int]",
        returns="list[int]",
        keywords="halves split middle swap reverse half list",
        names=("rearrange_halves",),
        choices=options(
            "code words",
            [
                ("second + first", "the second half before the first"),
                ("first[::-1] + second", "the first half reversed and the second unchanged"),
                ("first + second[::-1]", "the first half unchanged and the second reversed"),
                ("second[::-1] + first[::-1]", "both halves swapped and each reversed"),
            ],
        ),
        result=("the elements of $xs with $words",),
        does=("cut $xs in the middle and ^return a list with $words",),
        says=("Cut the pack $xs in two and lay it down again with $words.",),
        must=("If the length is odd, the middle element belongs to the second half.",),
        bodies=("middle = len($xs) // 2\nfirst, second = $xs[:middle], $xs[middle:]\nreturn $code",),
        draw=lambda d: (d.ints(0, 9, 2, 7),),
        edges=(([],), ([1],), ([1, 2, 3, 4],), ([1, 2, 3],)),
        skills=("slicing",),
    ),
)
