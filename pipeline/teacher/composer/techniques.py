"""What the fragments teach: each technique with its idea, the mistake that belongs to it, and the case that is missed.

The code in `mistake` runs as it stands and shows what it says.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Technique:
    """title: a heading. ideas: paragraphs, each enough by itself. mistake: the prose before `code`, which shows the
    mistake at work. edge: the case that is easy to miss."""

    title: str
    ideas: tuple[str, ...]
    mistake: str
    code: str
    edge: str


TECHNIQUES: dict[str, Technique] = {
    "accumulator": Technique(
        "Collecting a result in one variable",
        (
            "A variable that starts at a neutral value and takes in one item per round of the loop is called an "
            "accumulator. After each round it holds the answer for the items seen so far, so after the last round "
            "it holds "
            "the answer for all of them. The neutral value is the one that changes nothing: 0 for sums, 1 for "
            "products, an "
            "empty list for lists.",
            "Ask what the answer would be if the data ended right here. An accumulator is the variable that knows: "
            "before "
            "the loop it knows the answer for no data at all, and the body of the loop turns the answer for the items "
            "before into the answer with the current item.",
        ),
        "The start value belongs before the loop. Inside it, every round forgets what the rounds before have done:",
        "for x in [4, 5, 6]:\n    total = 0\n    total += x\nprint(total)  # 6, not 15",
        "With no items the loop body never runs and the start value is the result. It has to be right by itself.",
    ),
    "counter": Technique(
        "Counting what satisfies a condition",
        (
            "To count is to add 1 for each item that qualifies and nothing for the others. That is a loop with an "
            "`if`, or "
            "`sum` over a generator that yields 1 for each match; the two say the same, and the second fits on one "
            "line.",
            "A count answers one question about each item, yes or no, and adds up the yes. Since True is 1 and "
            "False is 0 in "
            "Python, even `sum(condition for item in items)` is a count.",
        ),
        "The `return` must stand behind the loop. Indented one level too far, it ends the function in the first round:",
        "def count_even(numbers):\n    count = 0\n    for x in numbers:\n        if x % 2 == 0:\n            count "
        "+= 1\n        return count\n\n\nprint(count_even([2, 4, 6]))  # 1, not 3",
        "If nothing qualifies the count is 0, and it is an integer even then; no special case is needed.",
    ),
    "best-so-far": Technique(
        "Remembering the best so far",
        (
            "Walking along the items once, keep the best that you have met. Each new item is compared with it and "
            "replaces "
            "it if it is better. At the end the best so far is the best of all. What has been rejected can never "
            "win later, "
            "which is why one pass is enough.",
            "A champion stays until somebody beats it. The loop holds one candidate, challenges it with each item, "
            "and never "
            "looks back; the strictness of the comparison decides who wins a tie, the earlier or the later one.",
        ),
        "A start value that no item can reach is a trap. Starting a maximum at 0 fails when all numbers are negative:",
        "best = 0\nfor x in [-5, -2, -9]:\n    if x > best:\n        best = x\nprint(best)  # 0, which is not in "
        "the list",
        "For ties, `>` keeps the first and `>=` takes the last. The task has to say which is wanted.",
    ),
    "comprehension": Technique(
        "Building a list from another one",
        (
            "A comprehension describes the new list: what each element is, where the items come from, and which of "
            "them "
            "count. `[f(x) for x in items if test(x)]` reads like the sentence it implements, and does what a loop "
            "with "
            "`append` does.",
            "If a loop does nothing except to append to a list that was empty before, the list can be described "
            "instead of "
            "built. The description has the same three parts as the loop: the value, the `for` and the `if`.",
        ),
        "A condition behind the `for` selects; a condition before it chooses between two values. They are not "
        "exchangeable:",
        "print([x for x in [1, 2, 3] if x > 1])  # [2, 3]\nprint([x if x > 1 else 0 for x in [1, 2, 3]])  # [0, 2, 3]",
        "The source is never changed. A comprehension over an empty source is an empty list.",
    ),
    "slicing": Technique(
        "Cutting with slices",
        (
            "`s[a:b]` is the part of `s` from index `a` up to, but without, index `b`. Because the end is left "
            "out, the "
            "length is `b - a`, and `s[:k] + s[k:]` is always the whole again. A third number is the step, and a "
            "step of -1 "
            "walks backwards.",
            "Think of the indices as standing between the items: 0 before the first, `len(s)` behind the last. A slice "
            "takes what lies between two of these marks. Negative marks are counted from the end.",
        ),
        "`-0` is 0. A slice that should take the last k items takes everything when k is 0:",
        'text = "abc"\nk = 0\nprint(text[-k:])  # abc, though no characters were wanted',
        "A slice never fails: marks beyond the end are moved to the end, so `'ab'[:10]` is simply `'ab'`.",
    ),
    "split": Technique(
        "From text to words and back",
        (
            "`split()` without an argument cuts a text at every stretch of blanks and returns the words; `join` is "
            "the way "
            "back and puts a separator between them. Many tasks on sentences are: split, treat each word, join.",
            "A sentence is awkward to work on character by character when the question is about words. Splitting "
            "changes "
            "the unit: afterwards there is a list of words, and the tools for lists apply.",
        ),
        "`split(' ')` is not `split()`: with an explicit blank, two blanks in a row enclose an empty word:",
        "print('a  b'.split(' '))  # ['a', '', 'b']\nprint('a  b'.split())  # ['a', 'b']",
        "The empty text has no words at all: `''.split()` is `[]`, while `''.split(',')` is `['']`.",
    ),
    "zip": Technique(
        "Walking along two sequences at once",
        (
            "`zip` pairs the first items, then the second ones, and so on. The loop receives both at the same "
            "time, without "
            "any index. It ends with the shorter sequence.",
            "Two lists whose positions belong together are one list of pairs in disguise. `zip` takes the disguise "
            "off: "
            "`for x, y in zip(a, b)` handles one pair per round.",
        ),
        "Items beyond the length of the shorter sequence are dropped without a word:",
        "print(list(zip([1, 2, 3], 'ab')))  # [(1, 'a'), (2, 'b')]",
        "If one of the two is empty there are no pairs, and the loop body does not run.",
    ),
    "string-building": Technique(
        "Putting a new string together",
        (
            "Strings cannot be changed in place, so a new one is built: piece by piece in a loop, or from a "
            "generator with "
            "`''.join`. The pieces may be single characters, several of them, or nothing.",
            "For each character decide what it becomes, and line the results up. This view covers replacing, "
            "repeating and "
            "leaving out: the piece for a character is another one, several, or the empty string.",
        ),
        "Assigning to a position fails, since strings are immutable:",
        "word = 'cat'\ntry:\n    word[0] = 'b'\nexcept TypeError as error:\n    print('no:', type(error).__name__) "
        " # no: TypeError\nprint('b' + word[1:])  # bat",
        "Nothing to build from gives the empty string, which is also the right start value of the loop.",
    ),
    "nested-lists": Technique(
        "Grids as lists of rows",
        (
            "A grid is a list whose elements are rows, and a row is a list of cells. `grid[i]` is a row and "
            "`grid[i][j]` the "
            "cell in it. A loop over the grid hands out whole rows; cells need a second loop inside.",
            "Rows are easy, since they are there as lists. Columns have to be made: `zip(*grid)` pairs up the "
            "first cells of "
            "all rows, then the second cells, and so yields one column after the other.",
        ),
        "`[[0] * 2] * 2` holds the same row twice, so a change in one row shows in the other:",
        "grid = [[0] * 2] * 2\ngrid[0][0] = 7\nprint(grid)  # [[7, 0], [7, 0]]",
        "A grid without rows has no `grid[0]`. Whoever asks for the number of columns should think of it.",
    ),
    "recursion": Technique(
        "A function that calls itself",
        (
            "A recursive function answers the smallest case directly and reduces every other case to a smaller one "
            "of the "
            "same kind. Trust the call for the smaller case and ask only how its answer becomes yours.",
            "Two things make recursion end: a base case that does not call again, and arguments that come closer "
            "to it with "
            "each call. If both hold, the calls form a finite chain, and the answers travel back along it.",
        ),
        "A call with the same argument makes no progress. Python stops the chain at some depth:",
        "def forever(n):\n    return forever(n)\n\n\ntry:\n    forever(3)\nexcept RecursionError:\n    print('no "
        "base case was reached')",
        "The base case is worth testing by itself; it is where the whole chain gets its first value.",
    ),
    "digits": Technique(
        "Taking a number apart",
        (
            "A number has no digits until it is written down. `str(n)` writes it, and each character can be turned "
            "back by "
            "`int`. Without strings, `n % 10` is the last digit and `n // 10` is the number without it.",
            "Division by 10 moves the decimal digits one place to the right. The remainder is the digit that falls "
            "off. "
            "Repeat until 0 is left, and all digits have passed by, the last one first.",
        ),
        "The loop `while n > 0` sees no digit at all if n is 0, although 0 is written with one digit:",
        "n = 0\ndigits = []\nwhile n > 0:\n    digits.append(n % 10)\n    n //= 10\nprint(digits)  # [], while "
        "str(0) is '0'",
        "Zero is the case to check, and the sign if negative numbers are allowed.",
    ),
    "while": Technique(
        "Repeating until a condition is met",
        (
            "When the number of rounds is not known beforehand, `while` is the loop to use. It needs three things: "
            "a state "
            "to begin with, a condition to go on, and a step that changes the state towards the end.",
            "Before you write the body of a `while` loop, say what gets smaller in each round and cannot do so for "
            "ever. "
            "That quantity is the proof that the loop ends.",
        ),
        "Forgetting the step leaves the condition true for ever. A guard shows it without hanging:",
        "n, rounds = 8, 0\nwhile n > 1 and rounds < 1000:\n    half = n // 2  # n itself never changes\n    rounds "
        "+= 1\nprint(rounds)  # 1000",
        "If the condition is false at the start, the body runs zero times. That must be the right answer then.",
    ),
    "neighbours": Technique(
        "Comparing neighbours",
        (
            "Questions about steps, gaps and repetitions are questions about pairs of neighbours. `zip(xs, "
            "xs[1:])` lists "
            "them: each item with the one after it. A list of n items has n - 1 such pairs.",
            "With indices, the loop runs over `range(len(xs) - 1)` and looks at positions i and i + 1. The range "
            "stops one "
            "short of the length, because the last item has no successor.",
        ),
        "Running over all indices looks one place too far:",
        "xs = [3, 1, 2]\ntry:\n    print([xs[i + 1] - xs[i] for i in range(len(xs))])\nexcept IndexError:\n    "
        "print('the last item has no successor')",
        "A single item has no neighbour, so there is nothing to compare, and an empty list behaves alike.",
    ),
    "set": Technique(
        "Asking a set",
        (
            "A set holds each value once and answers `x in seen` without searching. It is the natural memory for the "
            "question: has this occurred before?",
            "Turning a list into a set forgets order and repetition. Sometimes that is the point: two lengths, "
            "before and "
            "after, tell whether anything was repeated.",
        ),
        "`{}` is an empty dictionary. An empty set has to be written as `set()`:",
        "print(type({}).__name__)  # dict\nprint(type(set()).__name__)  # set",
        "A set has no order. Whoever needs one must sort the result or keep a list beside the set.",
    ),
    "early-return": Technique(
        "Stopping as soon as the answer is known",
        (
            "`return` ends the function at once, also from within a loop. A search may stop at the first hit, and "
            "a check "
            "at the first violation. What follows the loop is the answer for the case in which nothing was found.",
            "For a yes-or-no question, one of the two answers can be given early, by a single witness. The other "
            "needs the "
            "whole walk, so it stands behind the loop.",
        ),
        "Returning in both branches decides after the first item and never looks at the rest:",
        "def all_positive(numbers):\n    for x in numbers:\n        if x > 0:\n            return True\n        "
        "else:\n            return False\n\n\nprint(all_positive([1, -5]))  # True, which is wrong",
        "For an empty input the loop is skipped and the line behind it decides.",
    ),
    "enumerate": Technique(
        "Items together with their positions",
        (
            "`enumerate(items)` yields pairs of position and item. It spares the loop over `range(len(items))` and the "
            "indexing, and says that both are wanted.",
            "Some rules depend on where an item stands: every second one, all after the third, the place of a hit. "
            "Then the "
            "loop needs the index too, and `enumerate` supplies it.",
        ),
        "The pair has the position first. Swapped names lead to puzzling results:",
        "for item, i in enumerate(['a', 'b']):\n    print(item, i)  # prints 0 a, then 1 b",
        "Positions start at 0 unless another start is given: `enumerate(items, 1)` counts from 1.",
    ),
    "dynamic": Technique(
        "Solving small cases first",
        (
            "If the answer for n follows from answers for smaller numbers, compute them in increasing order and "
            "keep them. "
            "Each is worked out once and looked up afterwards. This is all that dynamic programming means.",
            "The recursive definition says how a case depends on smaller ones, but computes many of them again and "
            "again. "
            "A table, filled from the smallest case upwards, turns the same definition into a loop.",
        ),
        "Plain recursion repeats work. Counting the calls shows how much:",
        "calls = 0\n\n\ndef ways(n):\n    global calls\n    calls += 1\n    return 1 if n < 2 else ways(n - 1) + "
        "ways(n - 2)\n\n\nprint(ways(15), calls)  # 987 1973",
        "The first entries of the table are given, not computed. An error there spoils all others.",
    ),
    "nested-loops": Technique(
        "Loops within loops",
        (
            "The inner loop runs from start to end for each single round of the outer one. With n and m rounds "
            "that makes "
            "n times m visits, which is right for all cells of a grid or all pairs of items.",
            "To see each unordered pair of positions once, let the second index start behind the first one: "
            "`for j in range(i + 1, n)`. Then i < j always holds and no pair comes twice.",
        ),
        "If both loops run over all positions, every pair is counted twice and each item is paired with itself:",
        "xs = [1, 2]\nprint(sum(1 for x in xs for y in xs if x + y == 3))  # 2, though there is one pair",
        "Fewer than two items make no pair: the inner loop has nothing to do.",
    ),
    "sorting": Technique(
        "Letting order do the work",
        (
            "Once data are sorted, much can be read off: the smallest is first, equal items stand side by side, "
            "and the k "
            "largest are a slice. `sorted` returns a new list and leaves the old one as it was.",
            "Sorting gives things a canonical form. Two collections with the same items in different order become "
            "equal "
            "when both are sorted.",
        ),
        "`list.sort` works in place and returns None, so its result must not be assigned:",
        "numbers = [3, 1, 2]\nresult = numbers.sort()\nprint(result, numbers)  # None [1, 2, 3]",
        "Sorting keeps duplicates; if different values are wanted, a set has to remove them first.",
    ),
    "sort-key": Technique(
        "Sorting by something else",
        (
            "The key of a sort is computed from each item and compared in its place. `sorted(words, key=len)` compares "
            "lengths but returns words. A tuple as key sorts by its first part and settles ties by the next.",
            "Write down what decides, in order of importance, and make it a tuple. A minus sign in front of a "
            "number turns "
            "the direction for that part alone.",
        ),
        "Python's sort is stable: items with equal keys keep their order. Without a second key, ties are left as "
        "they came:",
        "print(sorted(['bb', 'aa', 'c'], key=len))  # ['c', 'bb', 'aa']\nprint(sorted(['bb', 'aa', 'c'], "
        "key=lambda w: (len(w), w)))  # ['c', 'aa', 'bb']",
        "The key sees each item once; it has to work for every item, also for an empty string.",
    ),
    "counting-dict": Technique(
        "A dictionary of counts",
        (
            "A dictionary can hold one counter per value. `counts.get(x, 0) + 1` reads the counter, or 0 if there "
            "is none "
            "yet, and adds one. One pass over the data fills them all.",
            "Instead of asking how often each value occurs, which would mean a search per value, go through the "
            "data once "
            "and let every item raise its own counter.",
        ),
        "Raising a counter that does not exist is a KeyError:",
        "counts = {}\ntry:\n    counts['a'] += 1\nexcept KeyError:\n    print('there is no counter "
        "yet')\ncounts['a'] = counts.get('a', 0) + 1\nprint(counts)  # {'a': 1}",
        "What never occurred is not in the dictionary at all: its count is 0 only by `get`.",
    ),
    "dict-items": Technique(
        "Going through a dictionary",
        (
            "`for key in d` visits the keys, `d.values()` the values, and `d.items()` both as pairs. Which of them "
            "is needed "
            "depends on what the question is about; the pairs are never wrong.",
            "A dictionary comprehension has the form of a list comprehension with a colon: the key before it and "
            "the value "
            "behind it. The old dictionary stays as it is.",
        ),
        "A dictionary must not change its size while a loop runs over it:",
        "d = {'a': 1, 'b': 2}\ntry:\n    for key in d:\n        del d[key]\nexcept RuntimeError as error:\n    "
        "print(error)  # dictionary changed size during iteration",
        "A missing key raises KeyError with square brackets, and gives a default with `get`.",
    ),
    "grouping": Technique(
        "Sorting things into groups",
        (
            "To group is to compute a key for each item and to append the item to the list that the dictionary "
            "holds for "
            "this key. `setdefault` creates the list when the key turns up for the first time.",
            "Groups are not known beforehand; they appear with the data. A dictionary from keys to lists grows "
            "with them.",
        ),
        "Assigning a new list for each item keeps only the last one:",
        "groups = {}\nfor w in ['ant', 'asp']:\n    groups[w[0]] = [w]\nprint(groups)  # {'a': ['asp']}",
        "Only keys that occur have a group. There are no empty ones.",
    ),
    "branches": Technique(
        "One case after the other",
        (
            "A chain of `if` and `return` treats one case after the other. Each line may rely on all earlier "
            "conditions "
            "having been false, so the order of the cases is part of the logic.",
            "Cover the range of possible values without gap and overlap: what is below, what is between, what is "
            "above. "
            "The last case needs no condition.",
        ),
        "Conditions in the wrong order shadow each other:",
        "def size(n):\n    if n > 10:\n        return 'large'\n    if n > 100:\n        return 'huge'\n    return "
        "'small'\n\n\nprint(size(500))  # large; the second test is never reached",
        "The borders decide: a value exactly on the limit belongs to one side, and the task says to which.",
    ),
    "remainder": Technique(
        "Division with remainder",
        (
            "`a // b` says how often b goes into a, `a % b` what is left. Together they rebuild a: `a == a // b * "
            "b + a % b`. "
            "The remainder is 0 exactly if b divides a, and it makes counting go round in circles.",
            "Remainders turn a line into a circle. After b - 1 comes 0 again, as after Sunday comes Monday; so "
            "positions "
            "that run over the end are brought back by `% b`.",
        ),
        "In Python the remainder has the sign of the divisor, and `//` rounds down, also for negative numbers:",
        "print(-7 // 2, -7 % 2)  # -4 1\nprint(int(-7 / 2))  # -3",
        "A divisor of 0 raises ZeroDivisionError; the task should exclude it.",
    ),
    "runs": Technique(
        "Runs of equal items",
        (
            "A run is a stretch of equal neighbours. While walking along, compare each item with the one before: "
            "if they "
            "are equal the run goes on, if not a new one begins.",
            "`itertools.groupby` cuts a sequence into its runs. It looks at neighbours only, so the same value "
            "later on "
            "makes a new group.",
        ),
        "The last run ends with the data, not with a change. Code that acts at changes only forgets it:",
        "runs, current = [], ''\nfor c in 'aab':\n    if current and c != current[0]:\n        "
        "runs.append(current)\n        current = ''\n    current += c\nprint(runs)  # ['aa'], the run 'b' is missing",
        "An empty sequence has no runs, and a single item makes one of length 1.",
    ),
    "all-any": Technique(
        "All, any, none",
        (
            "`all` is True if no item violates the condition, `any` is True if at least one fulfils it. Both stop "
            "at the "
            "first item that decides. `not any` says: none.",
            "A statement about all items is refuted by one counterexample, a statement about some item is proved "
            "by one "
            "example. That is why each loop returns early in one direction only.",
        ),
        "Brackets build the whole list before `all` sees the first item; a generator does not:",
        "print(all(x > 0 for x in [3, -1, 5]))  # False, after two items\nprint(all([x > 0 for x in [3, -1, 5]]))  "
        "# False, after three",
        "For no items, `all` is True and `any` is False: there is no counterexample, and no example.",
    ),
    "parsing": Technique(
        "Reading structured text",
        (
            "To parse is to find the parts of a text and to give each its type. Cut at the separators first, "
            "convert the "
            "pieces then, and keep both steps apart.",
            "Each separator is one level of structure. The outer one cuts the text into entries, the inner one an "
            "entry "
            "into its fields, and `int` makes numbers of fields.",
        ),
        "Digits in a text are characters. Without conversion, `+` glues them together:",
        "a, b = '3,4'.split(',')\nprint(a + b)  # 34\nprint(int(a) + int(b))  # 7",
        "An empty text has no entries, but `''.split(';')` has one piece: the empty string.",
    ),
    "stack": Technique(
        "Keeping track of what is open",
        (
            "Nested structure is read with a stack, or with a number if only one kind of bracket counts. What opens is "
            "pushed, what closes must match the top, and in the end nothing may be left.",
            "The depth is the number of brackets that are open at this point. It must never fall below 0, and it "
            "must end "
            "at 0.",
        ),
        "Equal numbers of opening and closing brackets do not suffice:",
        "text = ')('\nprint(text.count('(') == text.count(')'))  # True, and yet not balanced",
        "A text without brackets is balanced.",
    ),
    "pipeline": Technique(
        "Filter, transform, reduce",
        (
            "Many tasks are chains: choose some items, change each, combine them. Every link takes what the one before "
            "delivers, and each can be tested alone. The order matters: filtering before or after the change is "
            "not the same.",
            "Read the task backwards to find its last step, and forwards to find its first. In between, each verb is a "
            "step: keep, change, combine. A generator expression writes the first two in one line, and a function "
            "such as "
            "`sum`, `max` or `join` is the third.",
        ),
        "Exchanging two steps changes the result, for a filter looks at what it is given:",
        "xs = [1, 2, 3]\nprint([x * x for x in xs if x > 2])  # [9]\nprint([y for y in [x * x for x in xs] if y > "
        "2])  # [4, 9]",
        "If nothing passes the filter, the last step receives nothing; `max` then needs a default.",
    ),
    "two-pointers": Technique(
        "Two positions that move",
        (
            "Two indices, each with its own rule for moving on, can do in one pass what would otherwise need a "
            "search per "
            "item. The invariant says what is already settled to the left of them.",
            "In an ordered list, a comparison at one position tells something about all positions on one side of "
            "it. An "
            "index moves on because nothing behind it can matter any more.",
        ),
        "Stopping when the first list is used up loses the rest of the other:",
        "a, b = [1, 4], [2, 5, 6]\nmerged = []\nwhile a and b:\n    merged.append(a.pop(0) if a[0] <= b[0] else "
        "b.pop(0))\nprint(merged, b)  # [1, 2, 4] [5, 6]",
        "Either list may be empty from the start; then the loop does not run, and the rest is everything.",
    ),
    "table": Technique(
        "A table instead of cases",
        (
            "When each case differs only in its data, put the data into a list or dictionary and let one line of "
            "code read "
            "it. Adding a case then means adding an entry, not a branch.",
            "A table separates what is known from what is done. It can be checked by eye, and the code beside it "
            "stays short.",
        ),
        "A dictionary raises KeyError for what is not in it, where a chain of branches would silently fall through:",
        "points = {'win': 3, 'draw': 1}\nprint(points.get('loss', 0))  # 0\nprint('loss' in points)  # False",
        "The order of the entries matters if the first that fits is taken.",
    ),
}

ALIASES = {
    "windows": "slicing",
    "chunks": "slicing",
    "partition": "comprehension",
    "prefix": "accumulator",
    "recurrence": "while",
    "greedy": "branches",
    "dict-update": "dict-items",
    "dict-get": "counting-dict",
    "regex": "parsing",
    "formatting": "string-building",
    "arithmetic": "remainder",
    "binary": "digits",
    "binary-search": "two-pointers",
    "tuple": "remainder",
    "range": "accumulator",
}


def technique(skill: str) -> Technique:
    """The technique for a skill that a family names; KeyError for a skill that has no text."""
    return TECHNIQUES[ALIASES.get(skill, skill)]
