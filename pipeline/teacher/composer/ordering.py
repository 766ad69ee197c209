"""Families on sorting with keys, merging, ranking and searching in ordered lists."""

from pipeline.teacher.composer.fragments import Family, cross, options

FAMILIES = (
    Family(
        name="sort_by_$name",
        topic="sorting/keys/numbers",
        args="xs: list[int]",
        returns="list[int]",
        keywords="sort sorted key order numbers by",
        names=("order_by_$name", "sorted_by_$name"),
        choices=cross(
            options(
                "name code words",
                [
                    ("absolute_value", "abs(x)", "absolute value"),
                    ("last_digit", "abs(x) % 10", "last decimal digit"),
                    ("digit_sum", "sum(int(c) for c in str(abs(x)))", "sum of digits"),
                    ("remainder", "x % 4", "remainder on division by 4"),
                    ("digit_count", "len(str(abs(x)))", "number of digits"),
                ],
            ),
            options("order plus", [("in ascending order", ""), ("in descending order", "-")]),
        ),
        does=("sort $xs $order of the $words of its elements", "order the numbers in $xs by their $words, $order"),
        result=("a list of the elements of $xs, sorted $order of $words",),
        says=("Arrange the numbers of $xs $order, where what counts is not the number but its $words.",),
        must=(
            "Numbers with the same $words are ordered by their value, smallest first.",
            "Ties are broken by the number itself, ascending.",
        ),
        bodies=(
            "return sorted($xs, key=lambda x: ($plus$code, x))",
            """
            def key_of(x):
                return ($plus$code, x)

            return sorted($xs, key=key_of)
            """,
        ),
        draw=lambda d: (d.ints(-20, 40, 2, 6),),
        edges=(([],), ([5],), ([31, 12, -3, 22],)),
        skills=("sort-key",),
    ),
    Family(
        name="sort_words_by_$name",
        topic="sorting/keys/strings",
        args="words: list[str]",
        returns="list[str]",
        keywords="sort words strings key length last letter alphabetical",
        names=("words_by_$name", "order_words_by_$name"),
        choices=options(
            "name code label",
            [
                ("length", "len(w)", "length, shortest first"),
                ("last_letter", "w[-1:]", "last letter"),
                ("second_letter", "w[1:2]", "second letter"),
                ("vowel_count", 'sum(c in "aeiou" for c in w)', "number of vowels, fewest first"),
                ("descending_length", "-len(w)", "length, longest first"),
                ("reversed_spelling", "w[::-1]", "spelling from right to left"),
            ],
        ),
        does=("sort the strings in $words by their $label",),
        result=("the list $words sorted by $label",),
        says=("Put the words of $words in a row according to their $label.",),
        must=("Words that are equal in this respect are sorted alphabetically.", "Ties are resolved alphabetically."),
        bodies=(
            "return sorted($words, key=lambda w: ($code, w))",
            "return sorted(sorted($words), key=lambda w: $code)",
            """
            result = sorted($words)
            result.sort(key=lambda w: $code)
            return result
            """,
        ),
        draw=lambda d: (d.words(2, 5),),
        edges=(([],), (["a"],), (["bb", "ab", "c"],)),
        skills=("sort-key",),
    ),
    Family(
        name="$which_k",
        topic="sorting/selection/top",
        args="xs: list[int], k: int",
        returns="list[int]",
        keywords="top k largest smallest elements select sort",
        names=("$which_elements", "k_$which"),
        choices=options(
            "which reverse heap order",
            [("largest", "True", "nlargest", "descending"), ("smallest", "False", "nsmallest", "ascending")],
        ),
        result=("a list of the $k $which elements of $xs in $order order",),
        does=("select the $k $which numbers of $xs and ^return them in $order order",),
        says=("Only the $k $which values of $xs are of interest. List them in $order order.",),
        edge=("If $xs has fewer than $k elements, all of them are returned.", "Repeated values may appear repeatedly."),
        bodies=(
            "return sorted($xs, reverse=$reverse)[:$k]",
            "return heapq.$heap($k, $xs)",
            """
            ordered = sorted($xs, reverse=$reverse)
            return ordered[:$k]
            """,
        ),
        draw=lambda d: (d.ints(0, 30, 2, 7), d.integer(1, 4)),
        edges=(([], 2), ([4], 0), ([1, 5, 3], 5)),
        skills=("sorting", "slicing"),
    ),
    Family(
        name="merge_sorted",
        topic="sorting/merging/two-lists",
        args="xs: list[int], ys: list[int]",
        returns="list[int]",
        keywords="merge sorted two lists combine ordered",
        names=("merge_sorted_lists", "combine_sorted"),
        does=("merge the two sorted lists $xs and $ys into one sorted list",),
        result=("a sorted list of all elements of the ascending lists $xs and $ys",),
        says=("Two queues, $xs and $ys, are each ordered by size. Let them join into a single ordered queue.",),
        edge=("Either list may be empty.", "Equal elements are all kept."),
        bodies=(
            """
            result = []
            i = j = 0
            while i < len($xs) and j < len($ys):
                if $xs[i] <= $ys[j]:
                    result.append($xs[i])
                    i += 1
                else:
                    result.append($ys[j])
                    j += 1
            return result + $xs[i:] + $ys[j:]
            """,
            "return sorted($xs + $ys)",
            "return list(heapq.merge($xs, $ys))",
        ),
        draw=lambda d: (sorted(d.ints(0, 20, 1, 4)), sorted(d.ints(0, 20, 1, 4))),
        edges=(([], []), ([1], []), ([1, 4], [2, 4, 9])),
        skills=("two-pointers",),
    ),
    Family(
        name="insert_sorted",
        topic="sorting/insertion/position",
        args="xs: list[int], value: int",
        returns="list[int]",
        keywords="insert sorted position keep order new element",
        names=("insert_in_order", "sorted_insert"),
        does=("insert $value into the ascending list $xs so that it stays sorted",),
        result=("a new sorted list with all elements of $xs and $value",),
        says=("$xs is in ascending order. Find the right place for $value and return the longer list.",),
        edge=("$xs itself must not be modified.",),
        bodies=(
            """
            i = 0
            while i < len($xs) and $xs[i] < $value:
                i += 1
            return $xs[:i] + [$value] + $xs[i:]
            """,
            "return sorted($xs + [$value])",
            """
            i = bisect.bisect_left($xs, $value)
            return $xs[:i] + [$value] + $xs[i:]
            """,
        ),
        draw=lambda d: (sorted(d.ints(0, 20, 1, 5)), d.integer(0, 20)),
        edges=(([], 3), ([1, 2], 0), ([1, 2], 5), ([1, 3], 3)),
        skills=("two-pointers", "slicing"),
    ),
    Family(
        name="binary_search",
        topic="searching/binary/sorted-lists",
        args="xs: list[int], target: int",
        returns="int",
        keywords="binary search sorted index find halving middle",
        names=("find_in_sorted", "search_sorted"),
        result=("the index of $target in the sorted list $xs, or -1 if it is not there",),
        does=("look up $target in the ascending list $xs and ^return its index",),
        says=(
            "The numbers in $xs ascend without repetition. Halve the search range until you hit $target; return "
            "its index.",
        ),
        must=("If $target is missing, return -1.",),
        edge=("All elements of $xs are different.",),
        bodies=(
            """
            left, right = 0, len($xs) - 1
            while left <= right:
                middle = (left + right) // 2
                if $xs[middle] == $target:
                    return middle
                if $xs[middle] < $target:
                    left = middle + 1
                else:
                    right = middle - 1
            return -1
            """,
            "return $xs.index($target) if $target in $xs else -1",
            """
            i = bisect.bisect_left($xs, $target)
            if i < len($xs) and $xs[i] == $target:
                return i
            return -1
            """,
        ),
        draw=lambda d: (v := sorted(set(d.ints(0, 20, 2, 7))), d.choice([*v, d.integer(0, 20)])),
        edges=(([], 1), ([4], 4), ([1, 3, 5], 4)),
        skills=("binary-search",),
    ),
    Family(
        name="rank_of_each",
        topic="sorting/ranking/places",
        args="xs: list[int]",
        returns="list[int]",
        keywords="rank ranking places positions larger smaller order",
        names=("ranks", "$name_ranks"),
        choices=options(
            "name sign words top", [("descending", ">", "larger", "largest"), ("ascending", "<", "smaller", "smallest")]
        ),
        result=("a list that gives the rank of each element of $xs, where the $top has rank 1",),
        does=("replace each number of $xs by its rank, that is, one plus the number of elements that are $words",),
        says=("$xs holds the results of a race; the $top one wins. Write each runner's place.",),
        must=("Equal values share a rank, and the places after them are skipped.",),
        bodies=(
            "return [1 + sum(1 for y in $xs if y $sign x) for x in $xs]",
            """
            result = []
            for x in $xs:
                better = [y for y in $xs if y $sign x]
                result.append(len(better) + 1)
            return result
            """,
        ),
        draw=lambda d: (d.ints(0, 12, 2, 6),),
        edges=(([],), ([7],), ([3, 3, 1],)),
        skills=("nested-loops",),
    ),
    Family(
        name="sort_pairs",
        topic="sorting/keys/tuples",
        args="pairs: list[tuple[str, int]]",
        returns="list[str]",
        keywords="sort pairs tuples second names by score leaderboard",
        names=("names_by_$name", "leaderboard_$name"),
        choices=options(
            "name value words",
            [("score", "-pair[1]", "highest number first"), ("age", "pair[1]", "lowest number first")],
        ),
        result=("the names in $pairs, ordered by their numbers, $words",),
        does=("sort $pairs by the number, $words, and ^return only the names",),
        says=("Each pair in $pairs is a name with a number. List the names, $words.",),
        must=("Names with equal numbers are in alphabetical order.",),
        bodies=(
            "return [name for name, _ in sorted($pairs, key=lambda pair: ($value, pair[0]))]",
            """
            ordered = sorted($pairs, key=lambda pair: ($value, pair[0]))
            return [pair[0] for pair in ordered]
            """,
        ),
        draw=lambda d: (d.pairs(2, 4),),
        edges=(([],), ([("Ana", 1)],), ([("Bo", 2), ("Al", 2), ("Cy", 9)],)),
        skills=("sort-key", "tuple"),
    ),
    Family(
        name="closest_value",
        topic="searching/linear/nearest",
        args="xs: list[int], target: int",
        returns="int",
        keywords="closest nearest value target difference smallest",
        names=("nearest_element", "find_closest_to"),
        choices=options("which key rival", [("smaller", "x", "best"), ("larger", "-x", "-best")]),
        result=("the element of $xs that is closest to $target",),
        does=("find the number in $xs with the smallest distance to $target",),
        says=("Who in $xs guessed best, if the right answer is $target? Return that guess.",),
        must=(
            "If two elements are equally close, return the $which one.",
            "In case of a tie choose the $which number.",
        ),
        edge=("$xs is not empty.",),
        bodies=(
            "return min($xs, key=lambda x: (abs(x - $target), $key))",
            """
            best = $xs[0]
            for x in $xs:
                if (abs(x - $target), $key) < (abs(best - $target), $rival):
                    best = x
            return best
            """,
        ),
        draw=lambda d: (d.ints(0, 20, 2, 6), d.integer(0, 20)),
        edges=(([4], 9), ([1, 3], 2), ([5, 5, 8], 7)),
        skills=("best-so-far", "sort-key"),
    ),
    Family(
        name="is_rearrangement",
        topic="sorting/comparison/multisets",
        args="xs: list[int], ys: list[int]",
        returns="bool",
        keywords="same elements permutation compare lists rearrangement order",
        names=("same_elements", "is_permutation_of"),
        cond=("$xs and $ys contain the same numbers equally often, in whatever order", "$ys is a rearrangement of $xs"),
        says=("Can you turn $xs into $ys by only moving elements around?",),
        edge=("Two empty lists match.",),
        bodies=(
            "return sorted($xs) == sorted($ys)",
            "return Counter($xs) == Counter($ys)",
            """
            rest = list($ys)
            for x in $xs:
                if x not in rest:
                    return False
                rest.remove(x)
            return not rest
            """,
        ),
        draw=lambda d: ((v := d.ints(0, 4, 1, 4)), d.choice((v[::-1], sorted(v), d.ints(0, 4, 1, 4), [*v, 1]))),
        edges=(([], []), ([1, 1, 2], [1, 2, 2]), ([1], [])),
        skills=("sorting", "counting-dict"),
    ),
)
