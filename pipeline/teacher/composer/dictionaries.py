"""Families on dictionaries: counting, grouping, inverting, merging, choosing by value."""

from pipeline.teacher.composer.fragments import Family, each, options

FAMILIES = (
    Family(
        name="word_frequencies",
        topic="dictionaries/counting/frequency",
        args="sentence: str",
        returns="dict[str, int]",
        keywords="count words frequency occurrences histogram tally dictionary",
        names=("count_each_word", "tally_words"),
        does=("count how often each word occurs in $sentence",),
        result=("a dictionary from each word of $sentence to the number of times it occurs",),
        says=("Make a tally: for every different word of $sentence, how many times is it there? Return a dictionary.",),
        must=(
            "Words are separated by blanks; capitals are treated as small letters.",
            "The words are lower-cased before they are counted.",
        ),
        bodies=(
            """
            counts = {}
            for w in $sentence.lower().split():
                counts[w] = counts.get(w, 0) + 1
            return counts
            """,
            "return dict(Counter($sentence.lower().split()))",
            """
            counts = {}
            for w in $sentence.lower().split():
                if w in counts:
                    counts[w] += 1
                else:
                    counts[w] = 1
            return counts
            """,
            "words = $sentence.lower().split()\nreturn {w: words.count(w) for w in words}",
        ),
        draw=lambda d: (" ".join((v := d.words(2, 4)) + [v[0].capitalize()]),),
        edges=(("",), ("one",), ("To be or not to be",)),
        skills=("counting-dict", "split"),
    ),
    Family(
        name="group_by_$name",
        topic="dictionaries/grouping/keys",
        args="words: list[str]",
        returns="dict[$keytype, list[str]]",
        keywords="group words by length first letter last dictionary buckets",
        names=("bucket_by_$name", "words_grouped_by_$name"),
        choices=options(
            "name code keytype label",
            [
                ("length", "len(w)", "int", "length"),
                ("first_letter", "w[:1]", "str", "first letter"),
                ("last_letter", "w[-1:]", "str", "last letter"),
                ("first_two_letters", "w[:2]", "str", "first two letters"),
                ("lower_case_form", "w.lower()", "str", "lower-case form"),
                ("vowel_count", 'sum(c in "aeiou" for c in w)', "int", "number of vowels"),
            ],
        ),
        does=("group the strings in $words by their $label",),
        result=("a dictionary that maps each $label to the list of those strings in $words that have it",),
        says=("Sort the cards $words into boxes, one box for each $label. Return the boxes as a dictionary.",),
        edge=("Within a group the strings keep their order.", "An empty list gives an empty dictionary."),
        bodies=(
            """
            groups = {}
            for w in $words:
                key = $code
                if key not in groups:
                    groups[key] = []
                groups[key].append(w)
            return groups
            """,
            """
            groups = {}
            for w in $words:
                groups.setdefault($code, []).append(w)
            return groups
            """,
            """
            groups = defaultdict(list)
            for w in $words:
                groups[$code].append(w)
            return dict(groups)
            """,
        ),
        draw=lambda d: (d.words(2, 5),),
        edges=(([],), (["ab"],), (["ant", "bee", "Ant", "at"],)),
        skills=("grouping",),
    ),
    Family(
        name="invert_dictionary",
        topic="dictionaries/inversion/swap",
        args="counts: dict[str, int]",
        returns="dict[int, list[str]]",
        keywords="invert dictionary swap keys values reverse mapping",
        names=("swap_keys_and_values", "keys_by_value"),
        does=("turn $counts around, so that each value leads to the list of its keys",),
        result=("a dictionary from each value of $counts to a sorted list of the keys that have it",),
        says=("$counts tells everybody's age. Make the reverse register: for each age, the people who have it.",),
        must=("The keys in each list are sorted.",),
        bodies=(
            """
            result = {}
            for key in sorted($counts):
                result.setdefault($counts[key], []).append(key)
            return result
            """,
            """
            result = {}
            for key, value in sorted($counts.items()):
                if value not in result:
                    result[value] = []
                result[value].append(key)
            return result
            """,
        ),
        draw=lambda d: (d.counts(2, 4, 1, 3),),
        edges=(({},), ({"a": 1},), ({"b": 2, "a": 2},)),
        skills=("grouping",),
    ),
    Family(
        name="merge_with_$name",
        topic="dictionaries/merging/combine",
        args="a: dict[str, int], b: dict[str, int]",
        returns="dict[str, int]",
        keywords="merge combine two dictionaries add values shared keys union",
        names=("combine_by_$name", "merge_dicts_$name"),
        choices=options(
            "name code words",
            [
                ("sum", "result[key] + value", "the two values are added"),
                ("maximum", "max(result[key], value)", "the larger of the two values is taken"),
                ("minimum", "min(result[key], value)", "the smaller of the two values is taken"),
                ("difference", "result[key] - value", "the second value is subtracted from the first"),
                ("product", "result[key] * value", "the two values are multiplied"),
            ],
        ),
        does=("merge the dictionaries $a and $b",),
        result=("one dictionary with all keys of $a and $b",),
        says=("Two shops list their stock in $a and $b. Combine the two lists into one.",),
        must=("Where a key is in both, $words.", "For keys that occur in both, $words."),
        edge=("Keys that are in one dictionary only keep their value.", "Neither argument is changed."),
        bodies=(
            """
            result = dict($a)
            for key, value in $b.items():
                if key in result:
                    result[key] = $code
                else:
                    result[key] = value
            return result
            """,
            """
            result = $a.copy()
            for key, value in $b.items():
                result[key] = $code if key in result else value
            return result
            """,
        ),
        draw=lambda d: (
            {c: d.integer(0, 9) for c in d.letters("abc", 1, 3)},
            {c: d.integer(0, 9) for c in d.letters("bcd", 1, 3)},
        ),
        edges=(({}, {}), ({"a": 1}, {}), ({"x": 2, "y": 5}, {"y": 3})),
        skills=("dict-update",),
    ),
    Family(
        name="keys_with_value_$name",
        topic="dictionaries/filtering/values",
        args="counts: dict[str, int], limit: int",
        returns="list[str]",
        keywords="keys filter value above below dictionary select names",
        names=("names_$name", "keys_$name"),
        choices=options(
            "name sign words",
            [
                ("above", ">", "greater than"),
                ("below", "<", "less than"),
                ("at_least", ">=", "at least"),
                ("at_most", "<=", "at most"),
                ("equal_to", "==", "equal to"),
            ],
        ),
        result=("a sorted list of the keys of $counts whose value is $words $limit",),
        does=("collect the keys of $counts whose values are $words $limit, in alphabetical order",),
        says=("Who in $counts has a value $words $limit? List the names alphabetically.",),
        edge=("If nobody qualifies, the list is empty.",),
        bodies=(
            "return sorted(key for key, value in $counts.items() if value $sign $limit)",
            """
            result = []
            for key in $counts:
                if $counts[key] $sign $limit:
                    result.append(key)
            return sorted(result)
            """,
        ),
        draw=lambda d: (d.counts(2, 4, 0, 9), d.integer(1, 8)),
        edges=(({}, 3), ({"a": 3}, 3), ({"b": 9, "a": 1, "c": 5}, 4)),
        skills=("dict-items", "comprehension"),
    ),
    Family(
        name="key_of_$which_value",
        topic="dictionaries/search/extremes",
        args="scores: dict[str, int]",
        returns="str | None",
        keywords="key largest smallest value best winner maximum dictionary",
        names=("$which_scorer", "name_of_$which"),
        choices=options(
            "which key sign", [("highest", "(-$scores[name], name)", ">"), ("lowest", "($scores[name], name)", "<")]
        ),
        result=("the key of $scores with the $which value",),
        does=("find the key in $scores that has the $which value",),
        says=("$scores holds the points of all players. Whose score is the $which?",),
        must=("Of several such keys return the alphabetically first; for an empty dictionary return None.",),
        bodies=(
            """
            if not $scores:
                return None
            return min($scores, key=lambda name: $key)
            """,
            "return min($scores, key=lambda name: $key, default=None)",
            """
            best = None
            for name in sorted($scores):
                if best is None or $scores[name] $sign $scores[best]:
                    best = name
            return best
            """,
        ),
        draw=lambda d: (d.counts(2, 4, 0, 6),),
        edges=(({},), ({"a": 1},), ({"b": 2, "a": 2},)),
        skills=("best-so-far", "dict-items"),
    ),
    Family(
        name="filter_dictionary",
        topic="dictionaries/filtering/values",
        args="counts: dict[str, int]",
        returns="dict[str, int]",
        keywords="filter dictionary keep entries values comprehension remove",
        names=("keep_$name", "entries_$name"),
        choices=options(
            "name test words",
            [
                ("positive", "value > 0", "is positive"),
                ("even", "value % 2 == 0", "is even"),
                ("odd", "value % 2 == 1", "is odd"),
                ("nonzero", "value != 0", "is not 0"),
                ("over_five", "value > 5", "is greater than 5"),
                ("two_digit", "10 <= value <= 99", "has two digits"),
            ],
        ),
        result=("a dictionary with only those entries of $counts whose value $words",),
        does=("copy those entries of $counts whose value $words into a new dictionary",),
        says=("Clean up $counts: an entry may stay if its value $words.",),
        edge=("$counts itself stays as it is.",),
        bodies=(
            "return {key: value for key, value in $counts.items() if $test}",
            """
            result = {}
            for key, value in $counts.items():
                if $test:
                    result[key] = value
            return result
            """,
        ),
        draw=lambda d: (d.counts(2, 4, -3, 15),),
        edges=(({},), ({"a": 0},), ({"x": 12, "y": 7},)),
        skills=("dict-items", "comprehension"),
    ),
    Family(
        name="total_price",
        topic="dictionaries/lookup/defaults",
        args="prices: dict[str, int], words: list[str]",
        returns="int",
        keywords="lookup dictionary default get total price sum items basket",
        names=("basket_total", "sum_of_lookups"),
        choices=each("k", (0, 1, 5, 10, 20)),
        does=("add up the values that $prices has for the strings in $words",),
        result=("the sum of the prices of all items in $words, looked up in $prices",),
        says=("$prices is a price list and $words a basket. How much does the basket cost?",),
        must=("A string that is not a key of $prices counts as $k.", "Anything without an entry in $prices costs $k."),
        bodies=(
            "return sum($prices.get(w, $k) for w in $words)",
            """
            total = 0
            for w in $words:
                total += $prices.get(w, $k)
            return total
            """,
            """
            total = 0
            for w in $words:
                if w in $prices:
                    total += $prices[w]
                else:
                    total += $k
            return total
            """,
        ),
        draw=lambda d: ((v := d.counts(2, 3, 1, 9)), [d.choice([*v, "pen"]) for _ in range(d.integer(1, 4))]),
        edges=(({}, []), ({"tea": 2}, ["tea", "tea"]), ({}, ["milk"])),
        skills=("dict-get", "accumulator"),
    ),
    Family(
        name="pairs_to_totals",
        topic="dictionaries/grouping/sums",
        args="pairs: list[tuple[str, int]]",
        returns="dict[str, int]",
        keywords="sum pairs tuples by name total per key aggregate group",
        names=("sum_by_name", "totals_per_key"),
        does=("add up the numbers in $pairs separately for each string",),
        result=("a dictionary from each name in $pairs to the sum of its numbers",),
        says=(
            "$pairs is a list of payments, each a name and an amount. How much did each person pay in all? Answer "
            "with a dictionary.",
        ),
        edge=("A name may occur several times.", "Without pairs the dictionary is empty."),
        bodies=(
            """
            totals = {}
            for name, value in $pairs:
                totals[name] = totals.get(name, 0) + value
            return totals
            """,
            """
            totals = defaultdict(int)
            for name, value in $pairs:
                totals[name] += value
            return dict(totals)
            """,
        ),
        draw=lambda d: ([(d.choice(("Ana", "Ben", "Cleo")), d.integer(1, 9)) for _ in range(d.integer(1, 4))],),
        edges=(([],), ([("Ana", 3)],), ([("Bo", 2), ("Al", 1), ("Bo", 5)],)),
        skills=("counting-dict", "tuple"),
    ),
    Family(
        name="common_keys",
        topic="dictionaries/comparison/keys",
        args="a: dict[str, int], b: dict[str, int]",
        returns="list[str]",
        keywords="keys common shared missing difference two dictionaries compare",
        names=("$name_keys", "find_$name_keys"),
        choices=options(
            "name test code words",
            [
                ("shared", "key in $b", "set($a) & set($b)", "that $b has too"),
                ("missing", "key not in $b", "set($a) - set($b)", "that $b does not have"),
                (
                    "agreeing",
                    "$b.get(key) == $a[key]",
                    "{key for key in $a if $b.get(key) == $a[key]}",
                    "that have the same value in $b",
                ),
            ],
        ),
        result=("a sorted list of the keys of $a $words",),
        does=("list, in alphabetical order, the keys of $a $words",),
        says=("Compare two registers: which are the keys of $a $words? Return them sorted.",),
        edge=("The result may be empty.",),
        bodies=(
            "return sorted(key for key in $a if $test)",
            "return sorted($code)",
            """
            result = []
            for key in sorted($a):
                if $test:
                    result.append(key)
            return result
            """,
        ),
        draw=lambda d: (
            {c: d.integer(0, 2) for c in d.letters("abcd", 2, 4)},
            {c: d.integer(0, 2) for c in d.letters("abce", 2, 4)},
        ),
        edges=(({}, {}), ({"a": 1}, {"a": 1}), ({"x": 2, "w": 0}, {"w": 5})),
        skills=("set", "dict-items"),
    ),
    Family(
        name="scale_values",
        topic="dictionaries/building/comprehensions",
        args="prices: dict[str, int]",
        returns="dict[str, int]",
        keywords="change values dictionary raise double add all prices update",
        names=("$name_all_prices", "update_prices"),
        choices=options(
            "name code words",
            [
                ("double", "value * 2", "doubled"),
                ("triple", "value * 3", "tripled"),
                ("halve", "value // 2", "halved and rounded down"),
                ("raise", "value + 5", "raised by 5"),
                ("lower", "max(value - 3, 0)", "lowered by 3, but never below 0"),
                ("discount", "value * 9 // 10", "reduced by a tenth and rounded down"),
            ],
        ),
        result=("a dictionary with the keys of $prices in which each value has been $words",),
        does=("make a new dictionary from $prices with every value $words",),
        says=("A shop changes its price list $prices: each price is $words. What does the new list look like?",),
        bodies=(
            "return {key: $code for key, value in $prices.items()}",
            """
            result = {}
            for key, value in $prices.items():
                result[key] = $code
            return result
            """,
        ),
        draw=lambda d: (d.counts(1, 4, 0, 20),),
        edges=(({},), ({"tea": 1},), ({"tea": 3, "bun": 10},)),
        skills=("dict-items", "comprehension"),
    ),
    Family(
        name="last_index_of_each",
        topic="dictionaries/building/indices",
        args="text: str",
        returns="dict[str, int]",
        keywords="first last index each character dictionary position",
        names=("$name_positions", "$name_index_of_each"),
        choices=options(
            "name over method",
            [("first", "reversed(list(enumerate($text)))", "index"), ("last", "enumerate($text)", "rindex")],
        ),
        result=("a dictionary that maps each character of $text to the index of its $name occurrence",),
        does=("note for each character of $text where it occurs for the $name time",),
        says=("Where does each letter of $text stand for the $name time? Answer with a dictionary of positions.",),
        bodies=(
            """
            result = {}
            for i, c in $over:
                result[c] = i
            return result
            """,
            "return {c: $text.$method(c) for c in $text}",
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abc", 2, 6))),),
        edges=(("",), ("a",), ("noon",)),
        skills=("enumerate", "dict-update"),
    ),
)
