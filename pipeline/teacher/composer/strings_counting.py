"""Families that count, find and compare inside strings."""

from pipeline.teacher.composer.fragments import Family, options

FAMILIES = (
    Family(
        name="count_$kind",
        topic="strings/counting/characters",
        args="text: str",
        returns="int",
        keywords="count number characters letters digits vowels string",
        names=("number_of_$kind", "total_$kind"),
        choices=options(
            "kind test few",
            [
                ("digits", "c.isdigit()", "0 to 9"),
                ("capitals", "c.isupper()", "A to Z"),
                ("spaces", 'c == " "', "blanks, not tabs"),
                ("letters", "c.isalpha()", "a to z in either case"),
                ("commas", 'c == ","', "the mark ,"),
            ],
        ),
        does=("count the $kind in $text", "count how many $kind occur in $text"),
        result=("the number of $kind in $text", "how many of the characters of $text are $kind"),
        says=("Go through $text one character at a time and say how many $kind ($few) you met.",),
        edge=("The empty string gives 0.", "An empty $text has none."),
        bodies=(
            "return sum(1 for c in $text if $test)",
            """
            count = 0
            for c in $text:
                if $test:
                    count += 1
            return count
            """,
            "return len([c for c in $text if $test])",
        ),
        edges=(("",), ("a1B2, c3",), ("NO, 42!",)),
        skills=("counter",),
    ),
    Family(
        name="count_letter",
        topic="strings/counting/characters",
        args="text: str, letter: str",
        returns="int",
        keywords="count letter character occurrences string",
        names=("letter_count", "occurrences_of"),
        does=("count how often $letter occurs in $text, no matter whether it is a capital",),
        result=("the number of times $letter appears in $text when upper and lower case count as the same",),
        says=("Treat 'A' and 'a' as one letter. How many times does $letter occur in $text?",),
        edge=("$letter is a single character.", "The count for an empty $text is 0."),
        bodies=(
            "return $text.lower().count($letter.lower())",
            """
            count = 0
            for c in $text.lower():
                if c == $letter.lower():
                    count += 1
            return count
            """,
            "return sum(c == $letter.lower() for c in $text.lower())",
        ),
        draw=lambda d: (d.text(), d.choice("aeortnABE")),
        edges=(("", "a"), ("Banana", "A"), ("xyz", "a")),
        skills=("counter",),
    ),
    Family(
        name="count_words_longer_than",
        topic="strings/words/counting",
        args="sentence: str, k: int",
        returns="int",
        keywords="count words long length split sentence",
        names=("long_word_count", "count_long_words"),
        does=("count the words of $sentence that have more than $k characters",),
        result=("how many words in $sentence are longer than $k characters",),
        says=("Split $sentence at its blanks and tell how many pieces have over $k letters.",),
        edge=("A word with exactly $k characters is not counted.", "Words are separated by spaces."),
        bodies=(
            "return len([w for w in $sentence.split() if len(w) > $k])",
            "return sum(1 for w in $sentence.split() if len(w) > $k)",
            """
            count = 0
            for w in $sentence.split():
                if len(w) > $k:
                    count += 1
            return count
            """,
        ),
        draw=lambda d: (d.sentence(2, 6), d.integer(1, 6)),
        edges=(("", 2), ("one three", 3), ("a bb ccc", 0)),
        skills=("split", "counter"),
    ),
    Family(
        name="first_repeated_character",
        topic="strings/search/duplicates",
        args="text: str",
        returns="str | None",
        keywords="first repeated duplicate character twice seen",
        names=("first_duplicate_letter", "find_first_repeat"),
        does=("find the first character of $text that has already occurred before it",),
        result=("the first character that appears for the second time when $text is read from left to right",),
        says=("Read $text from the left. As soon as you meet a character that you have met already, return it.",),
        must=("Return None if no character occurs twice.", "If all characters are different, the answer is None."),
        bodies=(
            """
            seen = set()
            for c in $text:
                if c in seen:
                    return c
                seen.add(c)
            return None
            """,
            """
            for i, c in enumerate($text):
                if c in $text[:i]:
                    return c
            return None
            """,
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abcdefgh", 2, 7), d.sentence(1, 2))),),
        edges=(("",), ("abc",), ("abca",), ("hello",)),
        skills=("set", "early-return"),
    ),
    Family(
        name="are_anagrams",
        topic="strings/comparison/anagrams",
        args="a: str, b: str",
        returns="bool",
        keywords="anagram letters same rearrange compare",
        names=("is_anagram", "same_letters"),
        cond=(
            "$a and $b consist of the same letters in some order",
            "$b can be made by rearranging the characters of $a",
        ),
        says=("Could you cut $a into single letters and lay them out again as $b, using all of them?",),
        must=("Upper and lower case are not distinguished.", "Case does not matter."),
        edge=("Two empty strings count as anagrams.",),
        bodies=(
            "return sorted($a.lower()) == sorted($b.lower())",
            "return Counter($a.lower()) == Counter($b.lower())",
            """
            if len($a) != len($b):
                return False
            for c in $a.lower():
                if $a.lower().count(c) != $b.lower().count(c):
                    return False
            return True
            """,
        ),
        draw=lambda d: d.choice(
            (
                ("listen", "Silent"),
                ("loop", "pool"),
                (d.word(), d.word()),
                ("aab", "abb"),
                ("tea", "Eat"),
                (w := d.word(), w[::-1]),
            )
        ),
        edges=(("", ""), ("ab", "abc"), ("Noon", "onno")),
        skills=("sorting", "counting-dict"),
    ),
    Family(
        name="all_characters_different",
        topic="strings/sets/unique",
        args="text: str",
        returns="bool",
        keywords="unique characters different distinct all repeat duplicates",
        names=("has_unique_characters", "no_repeated_characters"),
        cond=("no character occurs more than once in $text", "all characters of $text are different from each other"),
        says=("A password rule forbids using any character twice. Does $text obey it?",),
        edge=("The empty string has no repeats.", "Capital and small letters are different characters."),
        bodies=(
            "return len(set($text)) == len($text)",
            """
            seen = set()
            for c in $text:
                if c in seen:
                    return False
                seen.add(c)
            return True
            """,
            "return all($text.count(c) == 1 for c in $text)",
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abcdefghij", 2, 6), d.text())),),
        edges=(("",), ("abc",), ("abA",), ("noon",)),
        skills=("set",),
    ),
    Family(
        name="most_common_character",
        topic="strings/counting/frequency",
        args="text: str",
        returns="str",
        keywords="most common frequent character letter",
        names=("most_frequent_letter", "commonest_character"),
        does=("find the character that occurs most often in $text",),
        result=("the most frequent character of $text",),
        says=("Count every character of $text and return the one with the highest count.",),
        must=(
            "If several are equally frequent, return the one that comes first in the alphabet.",
            "Ties go to the smallest character.",
        ),
        edge=("$text is not empty.",),
        bodies=(
            "return max(sorted(set($text)), key=$text.count)",
            """
            best = $text[0]
            for c in $text:
                if ($text.count(c), -ord(c)) > ($text.count(best), -ord(best)):
                    best = c
            return best
            """,
            """
            counts = {}
            for c in $text:
                counts[c] = counts.get(c, 0) + 1
            return min(counts, key=lambda c: (-counts[c], c))
            """,
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abcd", 3, 9))),),
        edges=(("a",), ("abab",), ("zzy",)),
        skills=("counting-dict", "best-so-far"),
    ),
    Family(
        name="count_double_letters",
        topic="strings/pairs/neighbours",
        args="text: str",
        returns="int",
        keywords="double letters adjacent pairs neighbours equal consecutive count",
        names=("adjacent_equal_pairs", "count_equal_neighbours"),
        does=("count the places in $text where a character equals the one right after it",),
        result=(
            "the number of neighbouring equal characters in $text",
            "how many positions of $text hold the same character as the next position",
        ),
        says=("Slide a window of two characters over $text. How often do both show the same character?",),
        edge=("'aaa' contains two such places.", "Strings with fewer than two characters give 0."),
        bodies=(
            "return sum(1 for x, y in zip($text, $text[1:]) if x == y)",
            """
            count = 0
            for i in range(len($text) - 1):
                if $text[i] == $text[i + 1]:
                    count += 1
            return count
            """,
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abc", 2, 9))),),
        edges=(("",), ("a",), ("aaa",), ("balloon",)),
        skills=("neighbours", "counter"),
    ),
    Family(
        name="positions_of",
        topic="strings/search/indices",
        args="text: str, letter: str",
        returns="list[int]",
        keywords="positions indices index find all character occurrences",
        names=("find_all_indices", "indices_of_letter"),
        does=("find every index at which $letter stands in $text",),
        result=(
            "a list of all positions of $letter in $text",
            "the indices i with $text[i] equal to $letter, in increasing order",
        ),
        says=("At which places of $text do you find $letter? Count places from 0 and list all of them.",),
        edge=("If it does not occur, return an empty list.",),
        bodies=(
            "return [i for i, c in enumerate($text) if c == $letter]",
            """
            result = []
            for i in range(len($text)):
                if $text[i] == $letter:
                    result.append(i)
            return result
            """,
        ),
        draw=lambda d: (d.choice((d.word(), d.letters("abno", 3, 9))), d.choice("aeno")),
        edges=(("", "a"), ("banana", "a"), ("xyz", "a")),
        skills=("enumerate",),
    ),
    Family(
        name="longest_run",
        topic="strings/runs/length",
        args="text: str",
        returns="int",
        keywords="longest run streak consecutive same character length",
        names=("longest_streak", "longest_repeat_length"),
        result=(
            "the length of the longest block of equal neighbouring characters in $text",
            "how long the longest run of one and the same character in $text is",
        ),
        does=("measure the longest stretch of $text in which a single character is repeated without a break",),
        says=(
            "Somebody fell asleep on the keyboard: find the longest stretch of one key in $text and return its length.",
        ),
        edge=("The empty string has a longest run of 0.",),
        bodies=(
            """
            best = 0
            count = 0
            previous = ""
            for c in $text:
                count = count + 1 if c == previous else 1
                previous = c
                best = max(best, count)
            return best
            """,
            "return max((len(list(group)) for _, group in groupby($text)), default=0)",
        ),
        draw=lambda d: (d.letters("aab", 2, 10),),
        edges=(("",), ("a",), ("abbbcc",)),
        skills=("runs", "best-so-far"),
    ),
    Family(
        name="common_prefix",
        topic="strings/comparison/prefixes",
        args="a: str, b: str",
        returns="str",
        keywords="common prefix shared beginning start longest",
        names=("shared_prefix", "longest_common_prefix"),
        does=("find the longest string with which both $a and $b begin",),
        result=("the longest common prefix of $a and $b", "the part that $a and $b share at their beginning"),
        says=("Compare $a and $b letter by letter from the left and stop at the first difference. What did you pass?",),
        edge=("It may be empty.", "If one string is the beginning of the other, the shorter one is the answer."),
        bodies=(
            """
            result = ""
            for x, y in zip($a, $b):
                if x != y:
                    break
                result += x
            return result
            """,
            """
            i = 0
            while i < min(len($a), len($b)) and $a[i] == $b[i]:
                i += 1
            return $a[:i]
            """,
        ),
        draw=lambda d: d.choice(
            ((d.word(), d.word()), ((w := d.word()) + d.letters(), w + d.letters()), (w := d.word(), w[:3]))
        ),
        edges=(("", "abc"), ("flower", "flow"), ("abc", "xbc")),
        skills=("zip", "early-return"),
    ),
    Family(
        name="count_differences",
        topic="strings/comparison/distance",
        args="a: str, b: str",
        returns="int",
        keywords="hamming distance differ positions compare differences",
        names=("hamming_distance", "mismatch_count"),
        does=("count the positions at which $a and $b differ",),
        result=(
            "the number of indices where $a and $b have different characters",
            "how many characters of $a would have to be replaced to get $b",
        ),
        says=("Lay $a above $b and count the columns whose two letters are not the same.",),
        edge=("Both strings have the same length.",),
        bodies=(
            "return sum(1 for x, y in zip($a, $b) if x != y)",
            """
            count = 0
            for i in range(len($a)):
                if $a[i] != $b[i]:
                    count += 1
            return count
            """,
        ),
        draw=lambda d: (
            ((w := d.letters("abc", 4, 4)), d.letters("abc", 4, 4)) if d.flag() else ((w := d.word()), w[::-1])
        ),
        edges=(("", ""), ("abc", "abc"), ("abc", "xyz")),
        skills=("zip", "counter"),
    ),
    Family(
        name="uses_only_letters_of",
        topic="strings/sets/membership",
        args="word: str, letters: str",
        returns="bool",
        keywords="only letters allowed characters subset contains",
        names=("made_of", "only_allowed_letters"),
        cond=("every character of $word occurs in $letters", "$word contains nothing but characters from $letters"),
        says=(
            "A sign painter owns stencils for $letters only. Can $word be painted, if stencils may be used repeatedly?",
        ),
        edge=("The empty word is always fine.",),
        bodies=(
            "return all(c in $letters for c in $word)",
            "return set($word) <= set($letters)",
            """
            for c in $word:
                if c not in $letters:
                    return False
            return True
            """,
        ),
        draw=lambda d: (d.letters("abcd", 1, 5), d.choice(("abc", "abcd", "bcd", "ab"))),
        edges=(("", "abc"), ("cab", "abc"), ("cabd", "abc")),
        skills=("set", "all-any"),
    ),
)
