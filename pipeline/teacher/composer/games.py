"""Families on games and their scores, price and grade tables, and pairs of numbers."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
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
