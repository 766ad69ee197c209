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
        name="last_remaining",
        topic="simulation/games/elimination",
        args="n: int",
        returns="int",
        keywords="circle elimination counting out last remaining josephus game",
        names=("survivor", "counting_out_winner"),
        choices=each("k", (2, 3, 4, 5, 6, 7)),
        does=("find who is left when $n children in a circle are counted out, always the child at count $k leaving",),
        result=(
            "the number of the child that remains when $n children, numbered from 1, are counted out with a count "
            "of $k",
        ),
        says=("Children 1 to $n stand in a circle and count to $k again and again; who says $k leaves. Who is last?",),
        must=("Counting starts with child 1 and goes on with the neighbour of the one who left.",),
        bodies=(
            """
            circle = list(range(1, $n + 1))
            place = 0
            while len(circle) > 1:
                place = (place + $k - 1) % len(circle)
                circle.pop(place)
            return circle[0]
            """,
            """
            circle = deque(range(1, $n + 1))
            while len(circle) > 1:
                circle.rotate(1 - $k)
                circle.popleft()
            return circle[0]
            """,
        ),
        draw=lambda d: (d.integer(1, 15),),
        edges=((1,), (2,), (7,)),
        skills=("while", "remainder"),
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
        name="toggle_lamps",
        topic="simulation/games/switches",
        args="n: int, xs: list[int]",
        returns="$type",
        keywords="lamps switches toggle on off lights simulate positions",
        names=("lamps_$name", "switch_$name"),
        choices=options(
            "name type code words",
            [
                (
                    "on",
                    "list[int]",
                    "[i for i in range($n) if lamps[i]]",
                    "the sorted positions of the lamps that are on at the end",
                ),
                ("count", "int", "sum(lamps)", "how many lamps are on at the end"),
                (
                    "off",
                    "list[int]",
                    "[i for i in range($n) if not lamps[i]]",
                    "the sorted positions of the lamps that are off at the end",
                ),
                (
                    "pattern",
                    "str",
                    '"".join("#" if lamp else "." for lamp in lamps)',
                    "a string with '#' for each lamp that is on at the end and '.' for each that is off",
                ),
                ("any_on", "bool", "any(lamps)", "whether any lamp is on at the end"),
            ],
        ),
        does=("switch the lamps at the positions in $xs, one after the other, and ^return $words",),
        result=("$words",),
        says=("Each number in $xs presses the switch of the lamp at that position. Return $words.",),
        must=("There are $n lamps, all off at first; switching turns an off lamp on and an on lamp off.",),
        bodies=(
            """
            lamps = [False] * $n
            for i in $xs:
                lamps[i] = not lamps[i]
            return $code
            """,
        ),
        draw=lambda d: (n := d.integer(2, 5), [d.integer(0, n - 1) for _ in range(d.integer(1, 6))]),
        edges=((3, []), (1, [0, 0]), (4, [0, 2, 2, 3])),
        skills=("branches", "enumerate"),
    ),
    Family(
        name="game_score",
        topic="simulation/games/scoring",
        args="text: str",
        returns="int",
        keywords="score points game results wins draws losses letters season",
        names=("season_points", "score_of_$name"),
        choices=options(
            "name win draw loss words",
            [
                ("league", 3, 1, 0, "a win 'W' counts 3, a draw 'D' 1 and a loss 'L' 0"),
                ("cup", 2, 1, 0, "a win 'W' counts 2, a draw 'D' 1 and a loss 'L' 0"),
                ("duel", 1, 0, -1, "a win 'W' counts 1, a draw 'D' 0 and a loss 'L' minus 1"),
                ("chess", 4, 2, 1, "a win 'W' counts 4, a draw 'D' 2 and a loss 'L' 1"),
                ("quiz", 5, 0, -2, "a win 'W' counts 5, a draw 'D' 0 and a loss 'L' minus 2"),
            ],
        ),
        does=("add up the points for the results in $text",),
        result=("the total of points for the string of results $text",),
        says=("A team's season is written as $text, one letter for each game. How many points did it make?",),
        must=("Here $words.", "Rule: $words."),
        edge=("No games, no points.",),
        bodies=(
            """
            points = {"W": $win, "D": $draw, "L": $loss}
            return sum(points[c] for c in $text)
            """,
            """
            total = 0
            for c in $text:
                if c == "W":
                    total += $win
                elif c == "D":
                    total += $draw
                else:
                    total += $loss
            return total
            """,
            'return $win * $text.count("W") + $draw * $text.count("D") + $loss * $text.count("L")',
        ),
        draw=lambda d: (d.letters("WDL", 1, 7),),
        edges=(("",), ("W",), ("WDL",)),
        skills=("table", "accumulator"),
    ),
    Family(
        name="grade_for",
        topic="control/branches/thresholds",
        args="n: int",
        returns="str",
        keywords="grade category thresholds branches classify label level size",
        names=("classify_$what", "$what_label"),
        choices=cross(
            options("low high", [(10, 20), (30, 60), (50, 80), (18, 65)]),
            options(
                "what small medium large",
                [
                    ("size", "small", "medium", "large"),
                    ("speed", "slow", "normal", "fast"),
                    ("price", "cheap", "fair", "expensive"),
                ],
            ),
        ),
        does=("name the $what class of $n: '$small', '$medium' or '$large'",),
        result=("'$small' if $n is below $low, '$large' if it is above $high, and '$medium' otherwise",),
        says=("Sort $n into one of three drawers, labelled '$small', '$medium' and '$large'. Return the label.",),
        must=("Below $low is '$small', above $high is '$large'; both limits belong to '$medium'.",),
        bodies=(
            """
            if $n < $low:
                return "$small"
            if $n > $high:
                return "$large"
            return "$medium"
            """,
            """
            if $n < $low:
                return "$small"
            elif $n <= $high:
                return "$medium"
            else:
                return "$large"
            """,
            """
            if $low <= $n <= $high:
                return "$medium"
            return "$small" if $n < $low else "$large"
            """,
        ),
        draw=lambda d: (
            d.choice(
                (
                    d.integer(0, 100),
                    int(d.slot("low")),
                    int(d.slot("high")),
                    int(d.slot("low")) - 1,
                    int(d.slot("high")) + 1,
                )
            ),
        ),
        edges=((0,), (100,)),
        skills=("branches",),
    ),
    Family(
        name="ticket_cost",
        topic="control/branches/prices",
        args="n: int",
        returns="int",
        keywords="price cost fee discount quantity branches total tariff shipping",
        names=("total_price", "order_cost"),
        choices=cross(each("price", (3, 4, 5, 8)), options("k off", [(10, 2), (5, 1), (12, 3), (20, 2)])),
        does=("compute what $n tickets cost at $price each, if from $k tickets on each is $off cheaper",),
        result=("the price of $n tickets that cost $price each, or $off less each for orders of $k or more",),
        says=(
            "One ticket costs $price. Who buys at least $k gets $off off the price of every single one. What do $n "
            "cost?",
        ),
        edge=("The lower price then holds for all tickets of the order.", "Nothing costs nothing."),
        bodies=(
            """
            price = $price
            if $n >= $k:
                price -= $off
            return $n * price
            """,
            "return $n * ($price - $off if $n >= $k else $price)",
            """
            if $n >= $k:
                return $n * ($price - $off)
            return $n * $price
            """,
        ),
        draw=lambda d: (d.choice((d.integer(0, 30), int(d.slot("k")), int(d.slot("k")) - 1)),),
        edges=((0,), (1,)),
        skills=("branches",),
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
    Family(
        name="overlap_length",
        topic="tuples/intervals/overlap",
        args="a: tuple[int, int], b: tuple[int, int]",
        returns="$type",
        keywords="interval overlap intersect ranges tuples length common",
        names=("interval_$name", "$name_of_intervals"),
        choices=options(
            "name type code words",
            [
                (
                    "overlap_length",
                    "int",
                    "max(0, end - start)",
                    "the length of the part that the intervals $a and $b have in common, 0 if there is none",
                ),
                (
                    "overlap_check",
                    "bool",
                    "start < end",
                    "whether the intervals $a and $b share a part of positive length",
                ),
                (
                    "gap",
                    "int",
                    "max(0, start - end)",
                    "the distance between the intervals $a and $b, 0 if they touch or overlap",
                ),
                (
                    "hull",
                    "tuple[int, int]",
                    "(min($a[0], $b[0]), max($a[1], $b[1]))",
                    "the smallest interval, as a tuple, that contains both $a and $b",
                ),
            ],
        ),
        result=("$words",),
        says=("Two meetings last from the first to the second number of $a and of $b. Return $words.",),
        edge=("In each tuple the first number is not greater than the second.",),
        bodies=(
            """
            start = max($a[0], $b[0])
            end = min($a[1], $b[1])
            return $code
            """,
        ),
        draw=lambda d: ((i := d.integer(0, 9), i + d.integer(1, 8)), (j := d.integer(0, 9), j + d.integer(1, 8))),
        edges=(((1, 4), (2, 9)), ((1, 2), (5, 6)), ((0, 3), (3, 5))),
        skills=("branches", "tuple"),
    ),
    Family(
        name="distance_between_points",
        topic="tuples/points/distance",
        args="a: tuple[int, int], b: tuple[int, int]",
        returns="$type",
        keywords="distance points tuples coordinates manhattan squared midpoint vector",
        names=("point_$name", "$name_of_points"),
        choices=options(
            "name type code words",
            [
                (
                    "taxi_distance",
                    "int",
                    "abs(x) + abs(y)",
                    "how many unit steps along the axes lead from point $a to point $b",
                ),
                (
                    "squared_distance",
                    "int",
                    "x * x + y * y",
                    "the square of the straight-line distance between the points $a and $b",
                ),
                (
                    "king_moves",
                    "int",
                    "max(abs(x), abs(y))",
                    "how many moves a chess king needs from square $a to square $b",
                ),
                ("vector", "tuple[int, int]", "(x, y)", "the vector from point $a to point $b as a tuple"),
                (
                    "same_line",
                    "bool",
                    "x == 0 or y == 0",
                    "whether the points $a and $b lie on one horizontal or vertical line",
                ),
            ],
        ),
        result=("$words",),
        says=("Points are pairs of coordinates. Return $words.",),
        bodies=(
            """
            x = $b[0] - $a[0]
            y = $b[1] - $a[1]
            return $code
            """,
        ),
        draw=lambda d: ((d.integer(-5, 9), d.integer(-5, 9)), (d.integer(-5, 9), d.integer(-5, 9))),
        edges=(((0, 0), (0, 0)), ((1, 2), (1, 7)), ((3, -1), (0, 3))),
        skills=("tuple",),
    ),
    Family(
        name="say_$a_and_$b",
        topic="control/loops/counting-games",
        args="n: int",
        returns="list[str]",
        keywords="counting game replace multiples words numbers list say",
        names=("counting_game", "clap_and_$b"),
        choices=cross(
            options("p q", [(2, 5), (4, 6), (3, 4), (2, 7)]),
            options("a b", [("clap", "stamp"), ("hop", "skip"), ("tick", "tock")]),
        ),
        result=("the list of what is said when counting from 1 to $n, where numbers are replaced by words",),
        does=("count from 1 to $n, saying words in place of some numbers, and ^list what is said as strings",),
        says=("Children count to $n. Some numbers must not be said; a word takes their place. List what you hear.",),
        must=("Multiples of both $p and $q become '$a $b', other multiples of $p '$a', other multiples of $q '$b'.",),
        bodies=(
            """
            result = []
            for i in range(1, $n + 1):
                if i % $p == 0 and i % $q == 0:
                    result.append("$a $b")
                elif i % $p == 0:
                    result.append("$a")
                elif i % $q == 0:
                    result.append("$b")
                else:
                    result.append(str(i))
            return result
            """,
            """
            result = []
            for i in range(1, $n + 1):
                parts = []
                if i % $p == 0:
                    parts.append("$a")
                if i % $q == 0:
                    parts.append("$b")
                result.append(" ".join(parts) or str(i))
            return result
            """,
        ),
        draw=lambda d: (d.integer(1, 14),),
        edges=((0,), (1,), (6,), (12,)),
        skills=("branches", "remainder"),
    ),
)
