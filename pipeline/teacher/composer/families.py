"""The families: what the fixture's exercises and passages are about, besides the chains."""

from pipeline.teacher.composer.writing import Family, each

FAMILIES = (
    Family(
        name="count_divisors",
        about="Divisors",
        args=("int",),
        returns="int",
        least=1,
        asks=(
            "How many positive integers divide `$a` without a remainder? 1 and `$a` itself count.",
            "Return the number of divisors of the positive integer `$a`.",
        ),
        bodies=(
            "return sum(1 for i in range(1, $a + 1) if $a % i == 0)",
            """
            count = 0
            for i in range(1, $a + 1):
                if $a % i == 0:
                    count += 1
            return count
            """,
        ),
    ),
    Family(
        name="digit_sum_in_base_$k",
        about="Digits of a number",
        args=("int",),
        returns="int",
        asks=(
            "Write `$a` in base $k and return the sum of its digits; 0 has the sum 0.",
            "Sum the base-$k digits of the number `$a`, which is not negative.",
        ),
        bodies=(
            """
            total = 0
            while $a:
                $a, digit = divmod($a, $k)
                total += digit
            return total
            """,
            "return 0 if $a == 0 else $a % $k + $self($a // $k)",
        ),
        choices=each("k", range(2, 11)),
    ),
    Family(
        name="collatz_steps",
        about="A loop of unknown length",
        args=("int",),
        returns="int",
        least=1,
        asks=(
            "Halve `$a` where it is even, else triple it and add one. Return how many such steps lead to 1.",
            "Count the steps of the Collatz sequence that begins with `$a` until it reaches 1.",
        ),
        bodies=(
            """
            steps = 0
            while $a != 1:
                $a = $a // 2 if $a % 2 == 0 else 3 * $a + 1
                steps += 1
            return steps
            """,
            "return 0 if $a == 1 else 1 + $self($a // 2 if $a % 2 == 0 else 3 * $a + 1)",
        ),
    ),
    Family(
        name="greatest_common_divisor",
        about="Euclid's algorithm",
        args=("int", "int"),
        returns="int",
        least=1,
        asks=(
            "Return the largest integer that divides both `$a` and `$b`.",
            "Find the greatest common divisor of `$a` and `$b` by Euclid's algorithm.",
        ),
        bodies=(
            """
            while $b:
                $a, $b = $b, $a % $b
            return $a
            """,
            "return $a if $b == 0 else $self($b, $a % $b)",
        ),
    ),
    Family(
        name="running_$what",
        about="Running results",
        args=("list[int]",),
        returns="list[int]",
        asks=(
            "For each place in `$a` give the $what of all items up to and including it.",
            "Replace every item of `$a` by the $what of itself and the items before it.",
        ),
        bodies=(
            "return [$code($a[: i + 1]) for i in range(len($a))]",
            """
            result = []
            for i in range(1, len($a) + 1):
                result.append($code($a[:i]))
            return result
            """,
        ),
        choices=(
            {"what": "total", "code": "sum"},
            {"what": "maximum", "code": "max"},
            {"what": "minimum", "code": "min"},
        ),
    ),
    Family(
        name="rotate_left_by_$k",
        about="Rotating a list",
        args=("list[int]",),
        returns="list[int]",
        asks=(
            "Move the first item of `$a` to its end, $k times over, and return the list that results.",
            "Rotate `$a` to the left by $k places; an empty list stays empty.",
        ),
        bodies=(
            """
            if not $a:
                return []
            start = $k % len($a)
            return $a[start:] + $a[:start]
            """,
            "return [$a[(i + $k) % len($a)] for i in range(len($a))]",
        ),
        choices=each("k", range(1, 9)),
    ),
    Family(
        name="every_item_at_step_$k",
        about="Slices with a step",
        args=("list[int]",),
        returns="list[int]",
        asks=(
            "Of `$a` take the first item and from there on every item that is $k places further.",
            "Return the items of `$a` whose index is a multiple of $k.",
        ),
        bodies=("return $a[::$k]", "return [item for i, item in enumerate($a) if i % $k == 0]"),
        choices=each("k", range(2, 7)),
    ),
    Family(
        name="differences_at_distance_$k",
        about="Neighbours in a list",
        args=("list[int]",),
        returns="list[int]",
        asks=(
            "By how much is each item of `$a` larger than the one that stands $k before it? Return the differences.",
            "Subtract from each item of `$a` the item $k places earlier; items that have none are left out.",
        ),
        bodies=(
            "return [$a[i] - $a[i - $k] for i in range($k, len($a))]",
            "return [later - earlier for earlier, later in zip($a, $a[$k:])]",
        ),
        choices=each("k", range(1, 5)),
    ),
    Family(
        name="chunks_of_$k",
        about="Splitting into parts",
        args=("list[int]",),
        returns="list[list[int]]",
        asks=(
            "Cut `$a` into lists of $k items each, in order. The last one may be shorter.",
            "Return consecutive pieces of `$a`, each $k long but perhaps for the last.",
        ),
        bodies=(
            "return [$a[i : i + $k] for i in range(0, len($a), $k)]",
            """
            parts = []
            while $a:
                parts.append($a[:$k])
                $a = $a[$k:]
            return parts
            """,
        ),
        choices=each("k", range(2, 7)),
    ),
    Family(
        name="items_in_valleys",
        about="Neighbours on both sides",
        args=("list[int]",),
        returns="list[int]",
        asks=(
            "Which items of `$a` are smaller than both of their neighbours? The two at the ends never are.",
            "Return, in order, each item of `$a` that lies between two larger ones.",
        ),
        bodies=(
            """
            low = []
            for place in range(1, len($a) - 1):
                if $a[place - 1] > $a[place] < $a[place + 1]:
                    low.append($a[place])
            return low
            """,
            "return [item for left, item, right in zip($a, $a[1:], $a[2:]) if left > item < right]",
        ),
    ),
    Family(
        name="second_$which",
        about="Finding without sorting all",
        args=("list[int]",),
        returns="int | None",
        asks=(
            "Return the second $which of the different values in `$a`, or None where there are fewer than two.",
            "Which value of `$a` would be the $which if the $which one were taken out? Equal values count once.",
        ),
        bodies=(
            """
            different = sorted(set($a), reverse=$order)
            return different[1] if len(different) > 1 else None
            """,
            """
            rest = set($a)
            if len(rest) < 2:
                return None
            rest.remove($code(rest))
            return $code(rest)
            """,
        ),
        choices=(
            {"which": "largest", "order": "True", "code": "max"},
            {"which": "smallest", "order": "False", "code": "min"},
        ),
    ),
    Family(
        name="is_$order",
        about="Order in a list",
        args=("list[int]",),
        returns="bool",
        asks=(
            "Tell whether no item of `$a` is $than the one before it.",
            "Is `$a` in $order order? Equal neighbours are allowed, and an empty list counts as ordered.",
        ),
        bodies=(
            "return all(not later $sign earlier for earlier, later in zip($a, $a[1:]))",
            """
            for i in range(1, len($a)):
                if $a[i] $sign $a[i - 1]:
                    return False
            return True
            """,
        ),
        choices=(
            {"order": "ascending", "than": "smaller", "sign": "<"},
            {"order": "descending", "than": "larger", "sign": ">"},
        ),
    ),
    Family(
        name="reverse_each_word",
        about="Words of a text",
        args=("str",),
        returns="str",
        asks=(
            "Write each word of `$a` backwards and leave the words in their order, one space between them.",
            "Reverse the letters of every word in `$a`, but not the order of the words.",
        ),
        bodies=(
            'return " ".join(word[::-1] for word in $a.split())',
            """
            turned = []
            for word in $a.split():
                turned.append("".join(reversed(word)))
            return " ".join(turned)
            """,
        ),
    ),
    Family(
        name="replace_$c_by_$d",
        about="Replacing characters",
        args=("str",),
        returns="str",
        asks=(
            'Return `$a` with "$d" in the place of each "$c".',
            'Wherever `$a` has the letter "$c", put "$d"; every other character stays as it is.',
        ),
        bodies=(
            'return $a.replace("$c", "$d")',
            'return "".join("$d" if character == "$c" else character for character in $a)',
        ),
        choices=tuple({"c": c, "d": d} for c in "aeo" for d in "uxy"),
    ),
    Family(
        name="shift_letters_by_$k",
        about="Character codes",
        args=("str",),
        returns="str",
        asks=(
            "Replace each lower-case letter of `$a` by the one $k places on in the alphabet; after z comes a again.",
            "Encode `$a` with Caesar's cipher: shift every lower-case letter by $k, leave all else alone.",
        ),
        bodies=(
            """
            result = ""
            for character in $a:
                if "a" <= character <= "z":
                    character = chr((ord(character) - 97 + $k) % 26 + 97)
                result += character
            return result
            """,
            """
            alphabet = "abcdefghijklmnopqrstuvwxyz"
            shifted = {letter: alphabet[(i + $k) % 26] for i, letter in enumerate(alphabet)}
            return "".join(shifted.get(character, character) for character in $a)
            """,
        ),
        choices=each("k", range(1, 9)),
    ),
    Family(
        name="run_lengths",
        about="Runs of equal characters",
        args=("str",),
        returns="list[tuple[str, int]]",
        asks=(
            "Cut `$a` into runs of one character and return each run's character with its length.",
            "Give the run-length encoding of `$a` as pairs of a character and how often it follows itself.",
        ),
        bodies=(
            """
            runs = []
            for character in $a:
                if runs and runs[-1][0] == character:
                    runs[-1] = (character, runs[-1][1] + 1)
                else:
                    runs.append((character, 1))
            return runs
            """,
            """
            from itertools import groupby
            return [(character, len(list(run))) for character, run in groupby($a)]
            """,
        ),
    ),
    Family(
        name="group_by_$what",
        about="Grouping in a dictionary",
        args=("list[str]",),
        returns="dict[$kind, list[str]]",
        asks=(
            "Sort the `$a` into groups by their $what and return a dictionary of these groups.",
            "Map each $what that occurs among the `$a` to the list of those that have it, in order.",
        ),
        bodies=(
            """
            groups = {}
            for word in $a:
                groups.setdefault($code, []).append(word)
            return groups
            """,
            "return {key: [word for word in $a if $code == key] for key in [$code for word in $a]}",
        ),
        choices=(
            {"what": "length", "kind": "int", "code": "len(word)"},
            {"what": "initial", "kind": "str", "code": "word[0]"},
            {"what": "ending", "kind": "str", "code": "word[-1]"},
        ),
    ),
    Family(
        name="word_frequencies",
        about="Counting in a dictionary",
        args=("str",),
        returns="dict[str, int]",
        asks=(
            "Count how often each word occurs in `$a`; words are separated by spaces.",
            "Return a dictionary from the words of `$a` to the number of times that they are there.",
        ),
        bodies=(
            """
            found = {}
            for word in $a.split():
                found[word] = found.get(word, 0) + 1
            return found
            """,
            "return {word: $a.split().count(word) for word in $a.split()}",
        ),
    ),
    Family(
        name="keys_with_at_least_$k",
        about="Choosing keys",
        args=("dict[str, int]",),
        returns="list[str]",
        asks=(
            "Which keys of `$a` have a value of $k or more? Return them in alphabetical order.",
            "List, sorted, the keys of `$a` whose values are not below $k.",
        ),
        bodies=(
            "return sorted(key for key, value in $a.items() if value >= $k)",
            """
            chosen = []
            for key in sorted($a):
                if $a[key] >= $k:
                    chosen.append(key)
            return chosen
            """,
        ),
        choices=each("k", range(2, 10)),
    ),
)
