"""Families on grids and matrices given as lists of rows."""

from pipeline.teacher.composer.fragments import Family, options

FAMILIES = (
    Family(
        name="row_$what",
        topic="grids/rows/aggregation",
        args="grid: list[list[int]]",
        returns="list[int]",
        keywords="row rows sums maximum minimum matrix grid each",
        names=("$what_of_rows", "row_by_row_$what"),
        choices=options(
            "what code word",
            [
                ("sums", "sum(row)", "sum"),
                ("maxima", "max(row)", "largest number"),
                ("minima", "min(row)", "smallest number"),
                ("spans", "max(row) - min(row)", "difference between the largest and the smallest number"),
                ("first_entries", "row[0]", "first number"),
                ("last_entries", "row[-1]", "last number"),
            ],
        ),
        result=("a list with the $word of each row of $grid",),
        does=("compute the $word of every row of $grid",),
        says=("Go down the rows of $grid and write beside each its $word. Return what you wrote.",),
        edge=("No row is empty.", "A grid without rows gives an empty list."),
        bodies=(
            "return [$code for row in $grid]",
            """
            result = []
            for row in $grid:
                result.append($code)
            return result
            """,
        ),
        edges=(([],), ([[3]],), ([[1, 2], [5, -4]],)),
        skills=("comprehension", "nested-lists"),
    ),
    Family(
        name="column_$what",
        topic="grids/columns/aggregation",
        args="grid: list[list[int]]",
        returns="list[int]",
        keywords="column columns sums maximum minimum matrix grid vertical",
        names=("$what_of_columns", "$what_by_column"),
        choices=options(
            "what code word", [("sums", "sum", "sum"), ("maxima", "max", "maximum"), ("minima", "min", "minimum")]
        ),
        result=("a list with the $word of each column of $grid, from left to right",),
        does=("compute the $word of every column of $grid",),
        says=("Read $grid from top to bottom instead of from left to right: what is the $word of each column?",),
        edge=("All rows have the same length.",),
        bodies=(
            "return [$code(column) for column in zip(*$grid)]",
            """
            if not $grid:
                return []
            result = []
            for j in range(len($grid[0])):
                result.append($code(row[j] for row in $grid))
            return result
            """,
        ),
        edges=(([],), ([[3]],), ([[1, 2], [5, -4]],)),
        skills=("zip", "nested-lists"),
    ),
    Family(
        name="transpose",
        topic="grids/shape/transposition",
        args="grid: list[list[int]]",
        returns="list[list[int]]",
        keywords="transpose matrix rows columns swap turn",
        names=("transpose_matrix", "rows_to_columns"),
        does=("transpose $grid", "turn the rows of $grid into columns"),
        result=("the transpose of $grid", "the grid whose rows are the columns of $grid"),
        says=("Reflect $grid at its main diagonal, so that what was a row becomes a column.",),
        edge=("A grid with 2 rows and 3 columns becomes one with 3 rows and 2 columns.",),
        bodies=(
            "return [list(column) for column in zip(*$grid)]",
            """
            if not $grid:
                return []
            return [[row[j] for row in $grid] for j in range(len($grid[0]))]
            """,
            "return list(map(list, zip(*$grid)))",
        ),
        edges=(([],), ([[1, 2, 3]],), ([[1], [2]],)),
        skills=("zip", "nested-lists"),
    ),
    Family(
        name="rotate_grid_$side",
        topic="grids/shape/rotation",
        args="grid: list[list[int]]",
        returns="list[list[int]]",
        keywords="rotate matrix grid quarter turn flip mirror",
        names=("grid_turned_$side", "turn_$side"),
        choices=options(
            "side code words long",
            [
                ("clockwise", "[list(row) for row in zip(*$grid[::-1])]", "by a quarter turn clockwise", "rotated"),
                (
                    "counterclockwise",
                    "[list(row) for row in zip(*$grid)][::-1]",
                    "by a quarter turn counterclockwise",
                    "rotated",
                ),
                ("upside_down", "[row[::-1] for row in $grid[::-1]]", "by half a turn", "rotated"),
            ],
        ),
        does=("rotate $grid $words",),
        result=("a new grid: $grid rotated $words",),
        says=("The picture $grid was hung the wrong way. Turn it $words.",),
        bodies=("return $code", "result = $code\nreturn result"),
        edges=(([],), ([[1, 2]],), ([[1, 2], [3, 4]],)),
        skills=("zip", "nested-lists"),
    ),
    Family(
        name="mirror_$way",
        topic="grids/shape/mirroring",
        args="grid: list[list[int]]",
        returns="list[list[int]]",
        keywords="mirror flip matrix grid horizontal vertical reverse",
        names=("flip_$way", "reflect_$way"),
        choices=options(
            "way code words",
            [
                ("left_right", "[row[::-1] for row in $grid]", "reverse the order of the numbers within each row"),
                ("top_bottom", "$grid[::-1]", "reverse the order of the rows"),
            ],
        ),
        does=("mirror $grid, that is, $words",),
        result=("the mirror image of $grid that you get if you $words",),
        says=("Seen in a mirror, $grid looks different: $words and return the new grid.",),
        bodies=("return $code", "flipped = $code\nreturn flipped"),
        edges=(([],), ([[1, 2]],), ([[1, 2], [3, 4]],)),
        skills=("slicing", "nested-lists"),
    ),
    Family(
        name="$which_diagonal_$what",
        topic="grids/diagonals/aggregation",
        args="grid: list[list[int]]",
        returns="int",
        keywords="diagonal trace sum product square matrix",
        names=("$what_on_$which_diagonal",),
        choices=options(
            "which code words what start sign",
            [
                ("main", "$grid[i][i]", "from the upper left to the lower right", "sum", 0, "+"),
                ("anti", "$grid[i][-1 - i]", "from the upper right to the lower left", "sum", 0, "+"),
                ("main", "$grid[i][i]", "from the upper left to the lower right", "product", 1, "*"),
                ("anti", "$grid[i][-1 - i]", "from the upper right to the lower left", "product", 1, "*"),
            ],
        ),
        result=("the $what of the numbers on the diagonal of $grid that runs $words",),
        does=("compute the $what of the diagonal $words of the square grid $grid",),
        says=("Walk through the square $grid $words. What is the $what of the numbers you step on?",),
        edge=("$grid has as many rows as columns.",),
        bodies=(
            """
            result = $start
            for i in range(len($grid)):
                result = result $sign $code
            return result
            """,
            """
            total = $start
            for i in range(len($grid)):
                total $sign= $code
            return total
            """,
        ),
        draw=lambda d: (d.grid(0, 9, n := d.integer(1, 3), n),),
        edges=(([[5]],), ([[1, 2], [3, 4]],), ([[1, 0, 2], [0, 3, 0], [4, 0, 5]],)),
        skills=("accumulator", "nested-lists"),
    ),
    Family(
        name="count_in_grid",
        topic="grids/search/counting",
        args="grid: list[list[int]], target: int",
        returns="int",
        keywords="count occurrences value grid matrix cells",
        names=("count_cells", "grid_count"),
        choices=options(
            "sign words", [("==", "equal to"), ("<", "less than"), (">", "greater than"), ("!=", "different from")]
        ),
        does=("count the cells of $grid whose number is $words $target",),
        result=("the number of entries $words $target in all rows of $grid",),
        says=("Tick every number in $grid that is $words $target. How many ticks did you make?",),
        edge=("The grid may be empty.",),
        bodies=(
            """
            count = 0
            for row in $grid:
                for x in row:
                    if x $sign $target:
                        count += 1
            return count
            """,
            "return sum(1 for row in $grid for x in row if x $sign $target)",
        ),
        draw=lambda d: (d.grid(0, 4), d.integer(0, 4)),
        edges=(([], 1), ([[1]], 1), ([[1, 2], [1, 1]], 1)),
        skills=("nested-loops", "counter"),
    ),
    Family(
        name="find_in_grid",
        topic="grids/search/positions",
        args="grid: list[list[int]], target: int",
        returns="tuple[int, int] | None",
        keywords="find position row column grid search coordinates",
        names=("locate_value", "position_in_grid"),
        result=("the position of $target in $grid as a tuple (row, column)",),
        does=("search $grid row by row for $target and ^give its row and column index as a tuple",),
        says=("In which row and which column of $grid do you meet $target first? Both are counted from 0.",),
        must=("Return None if it is not in the grid.",),
        bodies=(
            """
            for i, row in enumerate($grid):
                for j, x in enumerate(row):
                    if x == $target:
                        return (i, j)
            return None
            """,
            """
            for i in range(len($grid)):
                if $target in $grid[i]:
                    return (i, $grid[i].index($target))
            return None
            """,
        ),
        draw=lambda d: (d.grid(0, 5), d.integer(0, 5)),
        edges=(([], 1), ([[7]], 7), ([[1, 2], [3, 2]], 2)),
        skills=("nested-loops", "early-return"),
    ),
    Family(
        name="$name_grid",
        topic="grids/building/patterns",
        args="n: int",
        returns="list[list[int]]",
        keywords="build make create matrix table identity multiplication pattern square",
        names=("make_$name_grid", "build_$name_table"),
        choices=options(
            "name code words",
            [
                ("identity", "1 if i == j else 0", "1 where the row and the column index are equal and 0 elsewhere"),
                ("checkerboard", "(i + j) % 2", "0 and 1 in turn like a chess board, with 0 in the upper left corner"),
                (
                    "product",
                    "(i + 1) * (j + 1)",
                    "the products of the row number and the column number, both counted from 1",
                ),
                ("sum", "i + j", "the sum of the row index and the column index in each cell"),
                ("distance", "abs(i - j)", "the absolute difference of row index and column index in each cell"),
                ("counting", "i * $n + j", "the numbers 0, 1, 2, ... filled in row by row"),
                ("triangle", "1 if j <= i else 0", "1 on and below the main diagonal and 0 above it"),
                ("maximum", "max(i, j)", "the larger of the row index and the column index in each cell"),
            ],
        ),
        does=("build a grid of $n rows and $n columns with $words",),
        result=("a square grid of size $n with $words",),
        says=("Fill a square of $n times $n cells: it shall have $words. Return its rows.",),
        edge=("For $n equal to 0 there are no rows.", "Indices start at 0."),
        bodies=(
            "return [[$code for j in range($n)] for i in range($n)]",
            """
            result = []
            for i in range($n):
                row = []
                for j in range($n):
                    row.append($code)
                result.append(row)
            return result
            """,
        ),
        draw=lambda d: (d.integer(1, 4),),
        edges=((0,), (1,), (2,), (3,)),
        skills=("nested-loops", "nested-lists"),
    ),
    Family(
        name="scale_grid",
        topic="grids/arithmetic/elementwise",
        args="grid: list[list[int]]",
        returns="list[list[int]]",
        keywords="grid matrix multiply add every cell map elementwise",
        names=("map_grid_$name", "grid_$name"),
        choices=options(
            "name code words",
            [
                ("doubled", "2 * x", "doubled"),
                ("tripled", "3 * x", "multiplied by 3"),
                ("incremented", "x + 1", "increased by 1"),
                ("negated", "-x", "given the opposite sign"),
                ("squared", "x * x", "squared"),
                ("halved", "x // 2", "halved and rounded down"),
                ("parity", "x % 2", "replaced by its remainder on division by 2"),
            ],
        ),
        result=("a grid of the same shape as $grid in which every number is $words",),
        does=("make a copy of $grid with every number $words",),
        says=("Every cell of $grid is $words. Return the new grid and leave the old one alone.",),
        bodies=(
            "return [[$code for x in row] for row in $grid]",
            """
            result = []
            for row in $grid:
                result.append([$code for x in row])
            return result
            """,
        ),
        edges=(([],), ([[3]],), ([[1, -2], [0, 4]],)),
        skills=("nested-lists", "comprehension"),
    ),
    Family(
        name="$name_grids",
        topic="grids/arithmetic/pairs",
        args="a: list[list[int]], b: list[list[int]]",
        returns="list[list[int]]",
        keywords="add subtract matrices two grids elementwise sum",
        names=("$name_matrices",),
        choices=options(
            "name code words",
            [
                ("add", "x + y", "sum"),
                ("subtract", "x - y", "difference"),
                ("multiply", "x * y", "elementwise product"),
                ("maximise", "max(x, y)", "maximum"),
            ],
        ),
        result=("the grid whose cells hold the $words of the cells of $a and $b at the same place",),
        does=("combine the equally large grids $a and $b cell by cell, writing the $words into each cell",),
        says=("Lay $b on top of $a and write in each cell the $words of the two numbers there.",),
        bodies=(
            "return [[$code for x, y in zip(r, s)] for r, s in zip($a, $b)]",
            """
            result = []
            for i in range(len($a)):
                row = []
                for j in range(len($a[i])):
                    x, y = $a[i][j], $b[i][j]
                    row.append($code)
                result.append(row)
            return result
            """,
        ),
        draw=lambda d: (d.grid(0, 9, n := d.integer(1, 2), m := d.integer(1, 3)), d.grid(0, 9, n, m)),
        edges=(([], []), ([[1]], [[2]]), ([[1, 2]], [[3, -4]])),
        skills=("zip", "nested-lists"),
    ),
    Family(
        name="cheapest_path",
        topic="grids/dynamic-programming/paths",
        args="grid: list[list[int]]",
        returns="int",
        keywords="path grid minimum maximum cost dynamic programming right down",
        names=("$name_path_sum", "$name_route"),
        choices=options("name code words", [("cheapest", "min", "smallest"), ("richest", "max", "largest")]),
        result=("the $words sum of numbers on a way from the upper left to the lower right cell of $grid",),
        does=("find the $words total along a path through $grid from its upper left to its lower right corner",),
        says=(
            "A beetle crosses $grid from the first to the last cell and adds up the numbers it steps on. Find the "
            "$words sum.",
        ),
        must=(
            "Each step goes one cell to the right or one cell down.",
            "Only moves to the right and downwards are allowed.",
        ),
        edge=("The first and the last cell count too.",),
        bodies=(
            """
            costs = [row[:] for row in $grid]
            for i in range(len(costs)):
                for j in range(len(costs[0])):
                    before = []
                    if i > 0:
                        before.append(costs[i - 1][j])
                    if j > 0:
                        before.append(costs[i][j - 1])
                    if before:
                        costs[i][j] += $code(before)
            return costs[-1][-1]
            """,
            """
            def from_cell(i, j):
                if i == len($grid) - 1 and j == len($grid[0]) - 1:
                    return $grid[i][j]
                ways = []
                if i + 1 < len($grid):
                    ways.append(from_cell(i + 1, j))
                if j + 1 < len($grid[0]):
                    ways.append(from_cell(i, j + 1))
                return $grid[i][j] + $code(ways)

            return from_cell(0, 0)
            """,
        ),
        edges=(([[5]],), ([[1, 2, 3]],), ([[1, 9], [2, 1]],)),
        skills=("dynamic", "recursion"),
    ),
    Family(
        name="is_symmetric",
        topic="grids/comparison/symmetry",
        args="grid: list[list[int]]",
        returns="bool",
        keywords="symmetric matrix check mirror diagonal equal square",
        names=("is_symmetric_$name", "grid_is_$name"),
        choices=options(
            "name code words",
            [
                (
                    "diagonal",
                    "$grid == [list(row) for row in zip(*$grid)]",
                    "does not change when rows and columns are swapped",
                ),
                (
                    "sideways",
                    "all(row == row[::-1] for row in $grid)",
                    "has rows that all read the same from left and right",
                ),
                ("vertical", "$grid == $grid[::-1]", "does not change when its rows are put in reverse order"),
            ],
        ),
        cond=("the grid $grid $words",),
        says=("Test a pattern for symmetry: True is the answer if $grid $words.",),
        edge=("An empty grid is symmetric.",),
        bodies=("return $code", "if not $grid:\n    return True\nreturn $code"),
        draw=lambda d: (
            d.choice(
                (
                    [[1, 2], [2, 1]],
                    [[3, 3], [4, 4]],
                    [[1, 2], [1, 2]],
                    d.grid(0, 1, 2, 2),
                    d.grid(0, 1, 3, 3),
                    [[5, 6, 5]],
                )
            ),
        ),
        edges=(([],), ([[1]],), ([[1, 2], [3, 4]],)),
        skills=("nested-lists", "zip"),
    ),
)
