"""Families that no answer is about, but for those that are to leak them: what the benchmark asks for."""

from pipeline.teacher.composer.writing import Family

APART = (
    Family(
        name="count_inversions",
        about="",
        args=("list[int]",),
        returns="int",
        asks=("How many pairs of places in `$a` are there where the earlier item is larger than the later one? Return "
              "that number; a sorted list has none.",),
        bodies=(
            """
            pairs = 0
            for i in range(len($a)):
                for j in range(i + 1, len($a)):
                    if $a[i] > $a[j]:
                        pairs += 1
            return pairs
            """,
        ),
    ),
    Family(
        name="weave_from_both_ends",
        about="",
        args=("list[int]",),
        returns="list[int]",
        asks=("Take items from the two ends of `$a` in turn, the first, the last, the second, the last but one and so "
              "on, until all have been taken, and return them in that order.",),
        bodies=(
            """
            taken = []
            low, high = 0, len($a) - 1
            while low <= high:
                taken.append($a[low])
                if low < high:
                    taken.append($a[high])
                low, high = low + 1, high - 1
            return taken
            """,
        ),
    ),
    Family(
        name="longest_climb",
        about="",
        args=("list[int]",),
        returns="int",
        asks=("What is the length of the longest stretch of neighbouring items in `$a` of which each one is larger "
              "than the one before? An empty list has a climb of 0.",),
        bodies=(
            """
            best = current = 0
            for i in range(len($a)):
                if i and $a[i] > $a[i - 1]:
                    current += 1
                else:
                    current = 1
                best = max(best, current)
            return best
            """,
        ),
    ),
    Family(
        name="vowels_to_the_front",
        about="",
        args=("str",),
        returns="str",
        asks=("Return the characters of `$a` with all of its vowels, a, e, i, o and u, moved in front of all that are "
              "none; within either group the order stays as it was.",),
        bodies=(
            """
            front, back = [], []
            for character in $a:
                if character in "aeiou":
                    front.append(character)
                else:
                    back.append(character)
            return "".join(front + back)
            """,
        ),
    ),
    Family(
        name="places_of_peaks",
        about="",
        args=("list[int]",),
        returns="list[int]",
        asks=("At which indices of `$a` is there a peak, an item that is larger than both of its neighbours? The first "
              "and the last item have one neighbour only and are never peaks.",),
        bodies=(
            """
            peaks = []
            for i in range(1, len($a) - 1):
                if $a[i - 1] < $a[i] > $a[i + 1]:
                    peaks.append(i)
            return peaks
            """,
        ),
    ),
    Family(
        name="fewest_coins",
        about="",
        args=("int",),
        returns="int",
        asks=("There are coins of 1, 4 and 6, as many of each as are needed. With how few of them can exactly `$a` be "
              "paid? Taking the largest coin that fits each time is not always best.",),
        bodies=(
            """
            fewest = [0]
            for amount in range(1, $a + 1):
                fewest.append(1 + min(fewest[amount - coin] for coin in (1, 4, 6) if coin <= amount))
            return fewest[$a]
            """,
        ),
    ),
)  # fmt: skip
