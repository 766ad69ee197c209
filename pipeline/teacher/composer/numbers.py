"""Families on whole numbers: digits, divisors, ranges, rounding, sequences."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="sum_of_multiples",
        topic="numbers/loops/ranges",
        args="n: int",
        returns="int",
        keywords="sum multiples range divisible total add",
        names=("sum_multiples_of_$k", "total_of_multiples_below"),
        choices=each("k", range(3, 13)),
        does=(
            "add up all multiples of $k that are smaller than $n",
            "sum the positive numbers below $n that $k divides",
        ),
        result=(
            "the sum of the multiples of $k below $n",
            "the total of all positive integers less than $n that are divisible by $k",
        ),
        says=(
            "Of the numbers 1, 2, 3 and so on, stopping before $n, keep those divisible by $k and return their sum.",
        ),
        edge=("$n itself is not included.", "If there are none, the answer is 0."),
        bodies=(
            "return sum(range($k, $n, $k))",
            """
            total = 0
            for i in range(1, $n):
                if i % $k == 0:
                    total += i
            return total
            """,
            "return sum(i for i in range(1, $n) if i % $k == 0)",
        ),
        draw=lambda d: (d.integer(1, 60),),
        edges=((0,), (1,), (36,)),
        skills=("accumulator", "range"),
    ),
    Family(
        name="count_divisors",
        topic="numbers/divisibility/divisors",
        args="n: int",
        returns="int",
        keywords="count divisors factors divide",
        names=("number_of_divisors", "divisor_count"),
        does=("count the positive divisors of $n", "count how many positive integers divide $n without remainder"),
        result=("the number of positive divisors of $n", "how many numbers from 1 to $n divide $n evenly"),
        says=("In how many ways can $n sweets be dealt into equal heaps without any left over? Return that count.",),
        edge=("1 and $n itself count as divisors.", "$n is at least 1."),
        bodies=(
            "return sum(1 for i in range(1, $n + 1) if $n % i == 0)",
            """
            count = 0
            for i in range(1, $n + 1):
                if $n % i == 0:
                    count += 1
            return count
            """,
            "return len([i for i in range(1, $n + 1) if $n % i == 0])",
        ),
        draw=lambda d: (d.integer(1, 60),),
        edges=((1,), (13,), (36,)),
        skills=("counter", "remainder"),
    ),
    Family(
        name="proper_divisors",
        topic="numbers/divisibility/divisors",
        args="n: int",
        returns="list[int]",
        keywords="list divisors factors proper divide",
        names=("list_divisors", "divisors_below"),
        does=(
            "list the divisors of $n that are smaller than $n",
            "collect every positive number below $n that divides it",
        ),
        result=(
            "the proper divisors of $n in ascending order",
            "a sorted list of all positive divisors of $n except $n itself",
        ),
        says=("Which numbers smaller than $n go into it without a remainder? List them from the smallest up.",),
        edge=("The number 1 has none.", "For a prime number the list is [1]."),
        bodies=(
            "return [i for i in range(1, $n) if $n % i == 0]",
            """
            result = []
            for i in range(1, $n // 2 + 1):
                if $n % i == 0:
                    result.append(i)
            return result
            """,
        ),
        draw=lambda d: (d.integer(2, 60),),
        edges=((1,), (13,), (28,)),
        skills=("comprehension", "remainder"),
    ),
    Family(
        name="least_common_multiple",
        topic="numbers/divisibility/multiples",
        args="a: int, b: int",
        returns="int",
        keywords="lcm least common multiple smallest",
        names=("lcm", "smallest_common_multiple"),
        does=("find the smallest positive number that both $a and $b divide",),
        result=(
            "the least common multiple of $a and $b",
            "the smallest positive integer divisible by $a as well as by $b",
        ),
        says=("One lamp blinks every $a seconds, another every $b seconds. When do they first blink together?",),
        edge=("Both numbers are positive.",),
        bodies=(
            """
            multiple = $a
            while multiple % $b != 0:
                multiple += $a
            return multiple
            """,
            "return $a * $b // math.gcd($a, $b)",
            """
            for i in range($a, $a * $b + 1, $a):
                if i % $b == 0:
                    return i
            """,
        ),
        draw=lambda d: (d.integer(1, 12), d.integer(1, 12)),
        edges=((1, 1), (4, 6), (5, 5)),
        skills=("while", "remainder"),
    ),
    Family(
        name="steps_to_one",
        topic="numbers/simulation/rules",
        args="n: int",
        returns="int",
        keywords="steps halve even odd while collatz",
        names=("count_steps", "halving_steps"),
        choices=options(
            "up sign amount",
            [("subtract 1 from it", "-", 1), ("add 1 to it", "+", 1), ("multiply it by 3 and add 1", "* 3 +", 1)],
        ),
        does=("count how many steps it takes to turn $n into 1, where a step halves an even number",),
        result=("the number of steps until $n becomes 1",),
        says=("Start at $n and follow the rule below until you reach 1. How many moves does that take?",),
        must=(
            "In each step, an even number is divided by 2; if a number is odd, $up.",
            "Even: halve it. Odd: $up. Stop at 1.",
        ),
        edge=("For $n equal to 1 no step is needed.", "$n is a positive integer."),
        bodies=(
            """
            count = 0
            while $n != 1:
                if $n % 2 == 0:
                    $n //= 2
                else:
                    $n = $n $sign $amount
                count += 1
            return count
            """,
        ),
        draw=lambda d: (d.integer(2, 40),),
        edges=((1,), (2,), (8,)),
        skills=("while", "counter"),
    ),
    Family(
        name="is_power_of_$b",
        topic="numbers/divisibility/powers",
        args="n: int",
        returns="bool",
        keywords="power exponent base check",
        names=("power_of_$b",),
        choices=each("b", (2, 3, 5, 6, 7, 10)),
        cond=("$n is a power of $b", "$n can be written as $b raised to some non-negative exponent"),
        says=("Keep dividing $n by $b while it goes; did you end at exactly 1?",),
        edge=("1 is a power of $b (exponent 0).", "Zero and negative numbers are not powers of $b."),
        bodies=(
            """
            if $n < 1:
                return False
            while $n % $b == 0:
                $n //= $b
            return $n == 1
            """,
            """
            power = 1
            while power < $n:
                power *= $b
            return power == $n
            """,
        ),
        draw=lambda d: (
            d.choice(
                (d.integer(-3, 130), 2 ** d.integer(0, 7), 3 ** d.integer(1, 5), 10 ** d.integer(1, 4), 7**2, 6**3)
            ),
        ),
        edges=((1,), (0,), (-4,)),
        skills=("while", "remainder"),
    ),
    Family(
        name="clamp",
        topic="numbers/comparison/limits",
        args="n: int, low: int, high: int",
        returns="int",
        keywords="clamp limit between bound range clip",
        names=("limit_to_range", "clip_value"),
        does=(
            "force $n into the range from $low to $high",
            "limit $n so that it is neither below $low nor above $high",
        ),
        result=("$n itself if it lies between $low and $high, otherwise the nearer of the two bounds",),
        says=("A dial cannot turn below $low or past $high. Where does it stop if somebody wants to set it to $n?",),
        edge=("$low is never greater than $high.", "A value on the border stays as it is."),
        bodies=(
            "return max($low, min($n, $high))",
            """
            if $n < $low:
                return $low
            if $n > $high:
                return $high
            return $n
            """,
        ),
        draw=lambda d: (d.integer(-10, 20), d.integer(-5, 3), d.integer(4, 12)),
        edges=((5, 1, 9), (0, 1, 9), (12, 1, 9), (3, 3, 3)),
        skills=("branches",),
    ),
    Family(
        name="round_to_nearest",
        topic="numbers/arithmetic/rounding",
        args="n: int",
        returns="int",
        keywords="round nearest multiple closest",
        names=("nearest_multiple_of_$k", "round_to_$k"),
        choices=each("k", (5, 7, 10, 15, 25, 50, 60, 100)),
        does=("round $n to the nearest multiple of $k", "move $n to the closest number that $k divides"),
        result=("the multiple of $k that is closest to $n",),
        must=("If $n lies exactly half-way, round up.", "A tie goes to the larger multiple."),
        says=("Prices are charged in steps of $k. Return the step nearest to $n.",),
        edge=("$n is not negative.",),
        bodies=(
            "return ($n * 2 + $k) // ($k * 2) * $k",
            """
            lower = $n // $k * $k
            if ($n - lower) * 2 >= $k:
                return lower + $k
            return lower
            """,
        ),
        draw=lambda d: (d.integer(0, 260),),
        edges=((0,), (25,), (99,)),
        skills=("remainder",),
    ),
    Family(
        name="next_multiple",
        topic="numbers/arithmetic/rounding",
        args="n: int, k: int",
        returns="int",
        keywords="next multiple round up ceiling smallest",
        names=("round_up_to_multiple", "ceil_to_multiple"),
        does=("round $n up to a multiple of $k",),
        result=(
            "the smallest multiple of $k that is at least $n",
            "the first number, counting up from $n, that is divisible by $k",
        ),
        says=("Eggs are sold in boxes of $k. You need $n eggs; how many eggs do you have to buy?",),
        edge=("If $k divides $n already, $n is returned unchanged.", "$k is positive."),
        bodies=(
            "return -(-$n // $k) * $k",
            """
            while $n % $k != 0:
                $n += 1
            return $n
            """,
            """
            rest = $n % $k
            return $n if rest == 0 else $n + $k - rest
            """,
        ),
        draw=lambda d: (d.integer(0, 50), d.integer(1, 12)),
        edges=((0, 4), (8, 4), (9, 4)),
        skills=("remainder", "while"),
    ),
    Family(
        name="recurrence",
        topic="numbers/sequences/recurrences",
        args="n: int",
        returns="int",
        keywords="sequence recurrence term nth previous recursion",
        names=("nth_term", "sequence_term"),
        choices=cross(
            each("first", (0, 1, 2)),
            each("second", (1, 3)),
            options(
                "rule code",
                [
                    ("the sum of the term before and twice the one before that", "b + 2 * a"),
                    ("twice the previous term plus the one before it", "2 * b + a"),
                    ("the two previous terms added, plus 1", "a + b + 1"),
                    ("three times the previous term minus the one before it", "3 * b - a"),
                ],
            ),
        ),
        result=(
            "term number $n of the sequence that starts with $first, $second and in which every later term is $rule",
        ),
        says=(
            "A sequence begins $first, $second. From then on, each term is $rule. Return the term at index $n.",
            "Let s(0) = $first and s(1) = $second; each further term is $rule. Compute s($n).",
        ),
        edge=("Counting starts at 0, so index 0 gives $first.",),
        bodies=(
            """
            a, b = $first, $second
            for _ in range($n):
                a, b = b, $code
            return a
            """,
            """
            terms = [$first, $second]
            while len(terms) <= $n:
                a, b = terms[-2], terms[-1]
                terms.append($code)
            return terms[$n]
            """,
        ),
        draw=lambda d: (d.integer(2, 9),),
        edges=((0,), (1,), (2,)),
        skills=("recurrence",),
    ),
    Family(
        name="quotient_and_remainder",
        topic="numbers/arithmetic/division",
        args="a: int, b: int",
        returns="tuple[int, int]",
        keywords="divide quotient remainder division divmod tuple share",
        names=("divide_with_remainder", "share_equally"),
        does=("divide $a by $b and ^give both the quotient and the remainder",),
        result=("a tuple of the integer quotient and the remainder of $a divided by $b",),
        says=("$a sweets are shared among $b children. Return each child's share and the rest, as a tuple.",),
        edge=("$b is at least 1.",),
        bodies=(
            "return ($a // $b, $a % $b)",
            "return divmod($a, $b)",
            "quotient = $a // $b\nreturn quotient, $a - quotient * $b",
        ),
        draw=lambda d: (d.integer(0, 60), d.integer(1, 9)),
        edges=((0, 3), (7, 7), (9, 2)),
        skills=("remainder", "tuple"),
    ),
    Family(
        name="count_multiples_between",
        topic="numbers/loops/ranges",
        args="a: int, b: int",
        returns="int",
        keywords="count multiples between range divisible numbers",
        names=("multiples_in_range", "count_divisible"),
        choices=each("k", range(2, 10)),
        does=("count the integers from $a to $b, both included, that are divisible by $k",),
        result=(
            "the number of multiples of $k between $a and $b inclusive",
            "how many numbers x with $a <= x <= $b leave no remainder when divided by $k",
        ),
        says=("Every house whose number $k divides has a blue door. How many are there from number $a to number $b?",),
        edge=("If $a is greater than $b, the answer is 0.",),
        bodies=(
            "return sum(1 for x in range($a, $b + 1) if x % $k == 0)",
            """
            count = 0
            for x in range($a, $b + 1):
                if x % $k == 0:
                    count += 1
            return count
            """,
            "return len([x for x in range($a, $b + 1) if x % $k == 0])",
        ),
        draw=lambda d: (d.integer(0, 20), d.integer(10, 60)),
        edges=((1, 10), (5, 3), (6, 6)),
        skills=("counter", "range"),
    ),
    Family(
        name="integer_root",
        topic="numbers/search/roots",
        args="n: int",
        returns="int",
        keywords="root square cube integer floor largest",
        names=("floor_root_$p", "whole_$word_root"),
        choices=options("word p", [("square", 2), ("cube", 3), ("fourth", 4)]),
        result=(
            "the largest integer whose power with exponent $p does not exceed $n",
            "the $word root of $n, rounded down to a whole number",
        ),
        says=("Find the biggest whole number r with r ** $p <= $n.",),
        edge=("$n is zero or positive.",),
        bodies=(
            """
            root = 0
            while (root + 1) ** $p <= $n:
                root += 1
            return root
            """,
        ),
        draw=lambda d: (d.integer(0, 300),),
        edges=((0,), (1,), (64,), (63,)),
        skills=("while",),
    ),
)
