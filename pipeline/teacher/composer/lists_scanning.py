"""Families that walk over a list of numbers and answer with one value."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="count_greater_than",
        topic="lists/counting/comparison",
        args="xs: list[int], limit: int",
        returns="int",
        keywords="count elements greater smaller than limit threshold above below",
        names=("count_$name", "how_many_$name"),
        choices=options(
            "name sign words",
            [
                ("above", ">", "greater than"),
                ("below", "<", "less than"),
                ("at_least", ">=", "at least"),
                ("at_most", "<=", "at most"),
                ("equal_to", "==", "equal to"),
                ("other_than", "!=", "different from"),
            ],
        ),
        does=("count the elements of $xs that are $words $limit",),
        result=(
            "the number of entries in $xs that are $words $limit",
            "how many of the numbers in $xs are $words $limit",
        ),
        says=("Somebody sets a mark at $limit. Tell them how many numbers of $xs are $words that mark.",),
        edge=("An empty list gives 0.",),
        bodies=(
            "return sum(1 for x in $xs if x $sign $limit)",
            "return len([x for x in $xs if x $sign $limit])",
            """
            count = 0
            for x in $xs:
                if x $sign $limit:
                    count += 1
            return count
            """,
        ),
        draw=lambda d: (d.ints(), d.integer(-3, 10)),
        edges=(([], 3), ([5], 5), ([1, 5, 9], 5)),
        skills=("counter",),
    ),
    Family(
        name="second_$which",
        topic="lists/search/extremes",
        args="xs: list[int]",
        returns="int | None",
        keywords="second largest smallest runner up distinct",
        names=("find_second_$which", "runner_up_$which"),
        choices=options("which index order place", [("largest", -2, "False", 1), ("smallest", 1, "True", 0)]),
        result=("the second $which of the different values in $xs",),
        does=("find the second $which value in $xs, counting equal values once",),
        says=("Remove duplicates from $xs in your mind and name the value that comes right after the $which one.",),
        must=("Return None if there are fewer than two different values.",),
        bodies=(
            """
            values = sorted(set($xs))
            if len(values) < 2:
                return None
            return values[$index]
            """,
            """
            values = sorted(set($xs))
            return values[$index] if len(values) > 1 else None
            """,
        ),
        draw=lambda d: (d.ints(0, 20, 2, 6),),
        edges=(([],), ([4, 4],), ([1, 2],), ([5, 3, 5, 9],)),
        skills=("sorting", "set"),
    ),
    Family(
        name="index_of_$which",
        topic="lists/search/indices",
        args="xs: list[int]",
        returns="int",
        keywords="index position of largest smallest maximum minimum argmax first",
        names=("position_of_$which", "find_$which_index"),
        choices=options("which code sign", [("largest", "max", ">"), ("smallest", "min", "<")]),
        result=("the index of the $which element of $xs", "the position at which the $which number of $xs stands"),
        does=("find out where in $xs the $which value is and ^return its index",),
        must=("If it occurs several times, the first position counts.", "Of several equal ones, take the leftmost."),
        edge=("Indices start at 0.", "$xs has at least one element."),
        bodies=(
            "return $xs.index($code($xs))",
            """
            best = 0
            for i in range(1, len($xs)):
                if $xs[i] $sign $xs[best]:
                    best = i
            return best
            """,
            "return $code(range(len($xs)), key=lambda i: $xs[i])",
        ),
        draw=lambda d: (d.ints(0, 30, 2, 7),),
        edges=(([7],), ([3, 3],), ([1, 9, 9, 0, 0],)),
        skills=("best-so-far", "enumerate"),
    ),
    Family(
        name="count_direction_changes",
        topic="lists/neighbours/comparison",
        args="xs: list[int]",
        returns="int",
        keywords="neighbours increase decrease rises falls count steps",
        names=("count_$name", "number_of_$name"),
        choices=options(
            "name sign words",
            [("rises", ">", "larger than"), ("falls", "<", "smaller than"), ("plateaus", "==", "equal to")],
        ),
        does=("count the elements of $xs that are $words the element just before them",),
        result=(
            "how often a number in $xs is $words its predecessor",
            "the number of neighbouring pairs in $xs whose second member is $words the first",
        ),
        says=("$xs holds one temperature per day. On how many days was it $words the day before?",),
        edge=("The first element has no predecessor and never counts.",),
        bodies=(
            "return sum(1 for x, y in zip($xs, $xs[1:]) if y $sign x)",
            """
            count = 0
            for i in range(1, len($xs)):
                if $xs[i] $sign $xs[i - 1]:
                    count += 1
            return count
            """,
        ),
        draw=lambda d: (d.ints(0, 6, 2, 8),),
        edges=(([],), ([5],), ([1, 2, 2, 1],)),
        skills=("neighbours", "counter"),
    ),
    Family(
        name="largest_gap",
        topic="lists/neighbours/differences",
        args="xs: list[int]",
        returns="int",
        keywords="largest gap difference neighbours biggest jump adjacent",
        names=("biggest_jump", "max_adjacent_difference"),
        result=(
            "the largest absolute difference between two neighbouring elements of $xs",
            "the biggest jump, up or down, from one element of $xs to the next",
        ),
        does=("find the greatest distance between an element of $xs and the one after it",),
        says=("A hiker notes the height every hour in $xs. What was the biggest change within one hour?",),
        must=("With fewer than two elements the result is 0.",),
        bodies=(
            "return max((abs(y - x) for x, y in zip($xs, $xs[1:])), default=0)",
            """
            best = 0
            for i in range(len($xs) - 1):
                best = max(best, abs($xs[i + 1] - $xs[i]))
            return best
            """,
        ),
        draw=lambda d: (d.ints(0, 30, 2, 6),),
        edges=(([],), ([3],), ([1, 10, 4],)),
        skills=("neighbours", "best-so-far"),
    ),
    Family(
        name="alternating_sum",
        topic="lists/accumulation/signs",
        args="xs: list[int]",
        returns="int",
        keywords="alternating sum plus minus signs add subtract",
        names=("plus_minus_sum", "sum_with_alternating_signs"),
        does=("add the elements of $xs with alternating signs, the first one positive",),
        result=("the first element of $xs minus the second plus the third minus the fourth and so on",),
        says=(
            "Walk along $xs: add the first number, subtract the second, add the third, and so on. What is the total?",
        ),
        edge=("The sum of an empty list is 0.",),
        bodies=(
            "return sum($xs[::2]) - sum($xs[1::2])",
            """
            total = 0
            for i, x in enumerate($xs):
                if i % 2 == 0:
                    total += x
                else:
                    total -= x
            return total
            """,
            "return sum(x if i % 2 == 0 else -x for i, x in enumerate($xs))",
        ),
        edges=(([],), ([5],), ([1, 2, 3],)),
        skills=("accumulator", "enumerate"),
    ),
    Family(
        name="weighted_sum",
        topic="lists/accumulation/products",
        args="xs: list[int], ys: list[int]",
        returns="int",
        keywords="dot product weighted sum pairs multiply zip two lists",
        names=("dot_product", "sum_of_products"),
        does=("multiply the elements of $xs and $ys pairwise and ^add the products",),
        result=("the sum of the products of elements at equal positions of $xs and $ys",),
        says=("$xs tells how many pieces of each article were bought and $ys what one piece costs. What is the bill?",),
        edge=("Both lists have the same length.", "For empty lists the result is 0."),
        bodies=(
            "return sum(x * y for x, y in zip($xs, $ys))",
            """
            total = 0
            for i in range(len($xs)):
                total += $xs[i] * $ys[i]
            return total
            """,
        ),
        draw=lambda d: (d.ints(0, 9, 3, 3), d.ints(0, 9, 3, 3)),
        edges=(([], []), ([2], [3]), ([1, 2, 3], [0, -1, 5])),
        skills=("zip", "accumulator"),
    ),
    Family(
        name="missing_number",
        topic="lists/search/gaps",
        args="xs: list[int]",
        returns="int",
        keywords="missing number gap find absent smallest positive",
        names=("find_missing", "first_missing_number"),
        choices=each("k", (0, 1, 2, 3, 5, 10)),
        result=("the smallest integer from $k upwards that does not occur in $xs",),
        does=("find the first number, counting up from $k, that is absent from $xs",),
        says=("Tickets are numbered $k and up; those in $xs are taken. Which is the lowest free number?",),
        edge=("If $xs is empty, the answer is $k.", "The list need not be sorted."),
        bodies=(
            """
            candidate = $k
            while candidate in $xs:
                candidate += 1
            return candidate
            """,
            """
            taken = set($xs)
            candidate = $k
            while candidate in taken:
                candidate += 1
            return candidate
            """,
        ),
        draw=lambda d: (d.random.sample(range(13), d.integer(3, 10)),),
        edges=(([],), ([0, 1, 2, 3, 4, 5],), ([10, 11, 5, 1],)),
        skills=("while", "set"),
    ),
    Family(
        name="is_ordered",
        topic="lists/neighbours/order",
        args="xs: list[int]",
        returns="bool",
        keywords="sorted order ascending descending increasing check",
        names=("is_$name", "check_$name"),
        choices=options(
            "name sign words",
            [
                ("non_decreasing", "<=", "at least as large as"),
                ("strictly_increasing", "<", "greater than"),
                ("non_increasing", ">=", "at most as large as"),
                ("strictly_decreasing", ">", "less than"),
            ],
        ),
        cond=("each element of $xs after the first is $words the one before it",),
        says=(
            "Compare every element of $xs with its successor. Is the later one in every case $words the earlier one?",
        ),
        edge=("Lists with at most one element satisfy this.",),
        bodies=(
            "return all(x $sign y for x, y in zip($xs, $xs[1:]))",
            """
            for i in range(len($xs) - 1):
                if not $xs[i] $sign $xs[i + 1]:
                    return False
            return True
            """,
        ),
        draw=lambda d: (d.choice((sorted(d.ints(0, 9)), sorted(d.ints(0, 30))[::-1], d.ints(0, 4, 2, 4))),),
        edges=(([],), ([1],), ([1, 2, 2],), ([3, 2, 1],)),
        skills=("neighbours", "all-any"),
    ),
    Family(
        name="first_matching",
        topic="lists/search/linear",
        args="xs: list[int]",
        returns="int | None",
        keywords="first last find matching element search divisible",
        names=("$pos_multiple_of_$k", "find_$pos_multiple"),
        choices=cross(
            options("pos code", [("first", "$xs"), ("last", "reversed($xs)")]), each("k", (2, 3, 4, 5, 6, 7, 9))
        ),
        result=("the $pos element of $xs that is divisible by $k",),
        does=("search $xs for the $pos multiple of $k and ^return it",),
        must=("Return None if there is no such element.", "If none of them is divisible by $k, return None."),
        says=("Which is the $pos number in $xs that $k divides?",),
        bodies=(
            """
            for x in $code:
                if x % $k == 0:
                    return x
            return None
            """,
            "return next((x for x in $code if x % $k == 0), None)",
        ),
        draw=lambda d: (d.ints(1, 40, 2, 6),),
        edges=(([],), ([1],), ([1260, 11, 2520],)),
        skills=("early-return",),
    ),
)
