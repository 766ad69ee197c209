"""Families that play through a process step by step, and small ones on tuples and sets."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="follow_moves",
        topic="simulation/movement/grid",
        args="text: str",
        returns="$type",
        keywords="robot walk moves position directions up down left right simulate",
        names=("robot_$what", "walk_$what"),
        choices=cross(
            options(
                "what type code words",
                [
                    ("position", "tuple[int, int]", "(x, y)", "its final position as a tuple (x, y)"),
                    (
                        "distance",
                        "int",
                        "abs(x) + abs(y)",
                        "how many steps it is from the start in the end, counted along the two directions",
                    ),
                    ("returned", "bool", "x == 0 and y == 0", "whether it is back at the start in the end"),
                ],
            ),
            options("up down right left", [("U", "D", "R", "L"), ("N", "S", "E", "W"), ("^", "v", ">", "<")]),
        ),
        does=("move a robot that starts at (0, 0) along the steps in $text and ^return $words",),
        says=("A robot obeys the commands in $text, one character each. Return $words.",),
        must=("'$up' adds 1 to y, '$down' subtracts 1 from y, '$right' adds 1 to x, '$left' subtracts 1 from x.",),
        edge=("Without any command it stays at (0, 0).",),
        bodies=(
            """
            x = y = 0
            for c in $text:
                if c == "$up":
                    y += 1
                elif c == "$down":
                    y -= 1
                elif c == "$right":
                    x += 1
                elif c == "$left":
                    x -= 1
            return $code
            """,
            """
            x = $text.count("$right") - $text.count("$left")
            y = $text.count("$up") - $text.count("$down")
            return $code
            """,
        ),
        draw=lambda d: (d.letters(d.slot("up") + d.slot("down") + d.slot("left") + d.slot("right"), 2, 7),),
        edges=(("",), ("UURDDL",), ("NNE",), ("^>v<",)),
        skills=("branches", "while"),
    ),
    Family(
        name="final_balance",
        topic="simulation/accounts/limits",
        args="xs: list[int]",
        returns="int",
        keywords="balance account deposits withdrawals simulate bank refuse limit",
        names=("account_after", "simulate_account"),
        choices=cross(
            each("start", (0, 10, 20, 50)),
            options(
                "rule test words",
                [
                    ("refused", "total + x >= 0", "A change that would make the balance negative is refused."),
                    ("capped", "total + x <= 100", "A change that would raise the balance above 100 is refused."),
                ],
            ),
        ),
        does=(
            "start with a balance of $start, apply the changes in $xs one after the other and ^return the last balance",
        ),
        result=("the balance of an account that starts with $start, after all allowed changes in $xs",),
        says=(
            "$xs lists deposits (positive) and withdrawals (negative). The account begins with $start. How much is "
            "there at the end?",
        ),
        must=("$words",),
        edge=("A refused change is skipped, and the next one is tried.",),
        bodies=(
            """
            total = $start
            for x in $xs:
                if $test:
                    total += x
            return total
            """,
        ),
        draw=lambda d: ([d.integer(-40, 60) for _ in range(d.integer(2, 6))],),
        edges=(([],), ([-60],), ([90, 30, -20],)),
        skills=("accumulator", "branches"),
    ),
    Family(
        name="years_until",
        topic="simulation/growth/interest",
        args="n: int, target: int",
        returns="int",
        keywords="years growth interest until reach population double simulate",
        names=("$unit_to_reach", "count_$unit"),
        choices=cross(
            options("unit thing", [("years", "savings"), ("days", "bacteria"), ("weeks", "followers")]),
            options(
                "code words",
                [
                    ("2 * $n", "double"),
                    ("$n + $n // 2", "grow by a half (rounded down)"),
                    ("3 * $n", "triple"),
                    ("2 * $n - 1", "double and then lose 1"),
                    ("$n + 5", "grow by 5"),
                ],
            ),
        ),
        does=("count how many $unit it takes until $n $thing have become at least $target",),
        result=("the number of $unit until the $thing, $n at first, reach $target",),
        says=("There are $n $thing at the start. After how many $unit are there $target or more?",),
        must=("From one of the $unit to the next, the $thing $words.",),
        edge=("If $n is at least $target from the start, the answer is 0.", "$n is at least 2."),
        bodies=(
            """
            count = 0
            while $n < $target:
                $n = $code
                count += 1
            return count
            """,
            """
            if $n >= $target:
                return 0
            return 1 + $self($code, $target)
            """,
        ),
        draw=lambda d: (d.integer(2, 20), d.integer(10, 200)),
        edges=((5, 5), (2, 100), (9, 3)),
        skills=("while", "recursion"),
    ),
    Family(
        name="stack_after",
        topic="simulation/machines/stack",
        args="words: list[str]",
        returns="$type",
        keywords="stack push pop commands machine simulate queue",
        names=("run_$kind_commands", "simulate_$kind"),
        choices=options(
            "kind word type pop label",
            [
                ("stack", "pop", "list[str]", "items.pop()", "the one added last"),
                ("queue", "next", "list[str]", "items.pop(0)", "the one added first"),
                ("stack", "undo", "list[str]", "items.pop()", "the one added last"),
                ("queue", "serve", "list[str]", "items.pop(0)", "the one added first"),
                ("queue", "done", "list[str]", "items.pop(0)", "the one added first"),
            ],
        ),
        does=("go through $words, add each string to a list, but on '$word' remove $label, and ^return what is left",),
        result=(
            "what a $kind contains after the commands in $words, where '$word' removes $label and all else is added",
        ),
        says=(
            "The strings in $words arrive at a $kind. '$word' is a command: it removes $label. Everything else is "
            "stored.",
        ),
        edge=("'$word' does nothing if there is nothing to remove.",),
        must=("A '$word' on an empty $kind is ignored.",),
        bodies=(
            """
            items = []
            for w in $words:
                if w != "$word":
                    items.append(w)
                elif items:
                    $pop
            return items
            """,
        ),
        draw=lambda d: ([d.choice((d.word(), d.word(), d.slot("word"))) for _ in range(d.integer(2, 6))],),
        edges=(([],), (["pop", "a", "b", "pop"],), (["a", "next", "serve"],)),
        skills=("stack", "branches"),
    ),
    Family(
        name="next_generation",
        topic="simulation/automata/rows",
        args="xs: list[int]",
        returns="list[int]",
        keywords="cellular automaton next generation neighbours cells step simulate",
        names=("step_cells", "next_row"),
        choices=options(
            "code words",
            [
                ("left ^ right", "1 if exactly one of its two neighbours is 1"),
                ("left & right", "1 if both of its neighbours are 1"),
                ("left | right", "1 if at least one of its neighbours is 1"),
                ("1 - (left | right)", "1 if both of its neighbours are 0"),
                ("left", "1 if its left neighbour is 1"),
                ("right", "1 if its right neighbour is 1"),
            ],
        ),
        result=("the next state of the row of cells $xs, in which a cell becomes $words and 0 otherwise",),
        does=("replace each cell of $xs by a new one that is $words, else 0",),
        says=(
            "A row of lamps $xs (1 is on, 0 is off) changes all at once: a lamp is then $words, else 0. Return the "
            "new row.",
        ),
        must=("Cells beyond the two ends count as 0.",),
        bodies=(
            """
            padded = [0] + $xs + [0]
            result = []
            for i in range(1, len(padded) - 1):
                left, right = padded[i - 1], padded[i + 1]
                result.append($code)
            return result
            """,
            """
            lefts = [0] + $xs[:-1]
            rights = $xs[1:] + [0]
            return [$code for left, right in zip(lefts, rights)]
            """,
        ),
        draw=lambda d: (d.ints(0, 1, 2, 7),),
        edges=(([1],), ([1, 0, 1],), ([0, 1, 1, 0],)),
        skills=("neighbours", "zip"),
    ),
    Family(
        name="$name_values",
        topic="sets/operations/two-lists",
        args="xs: list[int], ys: list[int]",
        returns="list[int]",
        keywords="union intersection difference symmetric two lists set exactly one",
        names=("sorted_$name", "$name_of_lists"),
        choices=options(
            "name sign test words",
            [
                ("union", "|", "x in $xs or x in $ys", "in $xs or in $ys (or in both)"),
                ("difference", "-", "x in $xs and x not in $ys", "in $xs but not in $ys"),
                ("symmetric_difference", "^", "(x in $xs) != (x in $ys)", "in exactly one of the lists $xs and $ys"),
            ],
        ),
        result=("a sorted list, without repetition, of the numbers that are $words",),
        does=("collect the numbers that are $words in a sorted list without repetition",),
        says=("Mark the numbers that are $words. Write each marked number once, in ascending order.",),
        bodies=(
            "return sorted(set($xs) $sign set($ys))",
            """
            result = []
            for x in $xs + $ys:
                if ($test) and x not in result:
                    result.append(x)
            return sorted(result)
            """,
        ),
        draw=lambda d: (d.ints(0, 8, 2, 5), d.ints(0, 8, 2, 5)),
        edges=(([], []), ([1, 2], [2, 3]), ([5, 5], [])),
        skills=("set", "sorting"),
    ),
)
