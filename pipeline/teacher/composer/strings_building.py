"""Families that make a new string out of a given one."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="replace_$named_with_$by",
        topic="strings/replacement/characters",
        args="text: str",
        returns="str",
        keywords="replace characters substitute with exchange",
        names=("replace_$named", "swap_$named_for_$by"),
        choices=cross(
            options(
                "named old oldtext",
                [
                    ("spaces", " ", "space"),
                    ("commas", ",", "comma"),
                    ("dots", ".", "full stop"),
                    ("dashes", "-", "hyphen"),
                ],
            ),
            options("by new", [("underscores", "_"), ("stars", "*"), ("slashes", "/"), ("colons", ":")]),
        ),
        does=("replace every $oldtext in $text by '$new'", "exchange all $named of $text for $by"),
        result=("a copy of $text in which each $oldtext has become '$new'", "$text with $by in place of $named"),
        says=("Wherever $text has a $oldtext, the new string shall have the character '$new'; all else is copied.",),
        edge=("Text without any $oldtext is returned unchanged.",),
        bodies=(
            'return $text.replace("$old", "$new")',
            """
            result = ""
            for c in $text:
                result += "$new" if c == "$old" else c
            return result
            """,
            'return "$new".join($text.split("$old"))',
            'return "".join("$new" if c == "$old" else c for c in $text)',
        ),
        draw=lambda d: (d.choice((" ", ",", ".", "-", ", ")).join(d.words(2, 4)),),
        edges=(("",), ("a b,c.d-e",), ("--",)),
        skills=("string-building",),
    ),
    Family(
        name="repeat_each_character",
        topic="strings/building/repetition",
        args="text: str",
        returns="str",
        keywords="repeat each character times stretch duplicate",
        names=("stretch_text", "multiply_characters"),
        choices=each("k", (2, 3, 4, 5, 6)),
        does=("repeat each character of $text $k times", "write every character of $text $k times in a row"),
        result=("a string in which each character of $text appears $k times in succession",),
        says=("A broken keyboard types each key $k times. What comes out if you type $text?",),
        edge=("The empty string stays empty.",),
        bodies=(
            'return "".join(c * $k for c in $text)',
            """
            result = ""
            for c in $text:
                result += c * $k
            return result
            """,
        ),
        draw=lambda d: (d.choice((d.word(), d.letters())),),
        edges=(("",), ("ab",), ("a a",)),
        skills=("string-building",),
    ),
    Family(
        name="every_kth_character",
        topic="strings/slicing/steps",
        args="text: str",
        returns="str",
        keywords="slice step every nth character skip",
        names=("take_every_$k", "skip_characters"),
        choices=cross(
            each("k", (2, 3, 4, 5)), options("start where", [(0, "the first character"), (1, "the second character")])
        ),
        result=("the string made of every character of $text at a distance of $k, starting with $where",),
        does=("pick $where of $text and every further one at steps of $k",),
        says=(
            "Start at $where of $text, then jump $k places to the right again and again, collecting what you land on.",
        ),
        edge=("A $text that is too short gives an empty string.",),
        bodies=(
            "return $text[$start::$k]",
            """
            result = ""
            for i in range($start, len($text), $k):
                result += $text[i]
            return result
            """,
            'return "".join(c for i, c in enumerate($text) if i % $k == $start)',
        ),
        draw=lambda d: (d.text(),),
        edges=(("",), ("abcdefgh",), ("ab",)),
        skills=("slicing",),
    ),
    Family(
        name="interleave_strings",
        topic="strings/building/merging",
        args="a: str, b: str",
        returns="str",
        keywords="interleave alternate merge zip two strings mix",
        names=("alternate_letters", "zip_strings"),
        does=("merge $a and $b by taking characters from them in turn, beginning with $a",),
        result=("a string that alternates between the characters of $a and of $b",),
        must=(
            "When one of them is used up, the rest of the other follows.",
            "Left-over characters of the longer string go to the end.",
        ),
        says=("Shuffle two packs of letters like cards: one from $a, one from $b, one from $a, and so on.",),
        bodies=(
            """
            result = ""
            for i in range(max(len($a), len($b))):
                result += $a[i : i + 1] + $b[i : i + 1]
            return result
            """,
            """
            mixed = "".join(x + y for x, y in zip($a, $b))
            shorter = min(len($a), len($b))
            return mixed + $a[shorter:] + $b[shorter:]
            """,
        ),
        draw=lambda d: (d.word(), d.word()),
        edges=(("", ""), ("abc", "xyz"), ("a", "wxyz")),
        skills=("zip", "string-building"),
    ),
    Family(
        name="mask_all_but_last",
        topic="strings/slicing/ends",
        args="text: str",
        returns="str",
        keywords="mask hide last characters stars secret card",
        names=("hide_start", "mask_text"),
        choices=cross(
            each("k", (2, 3, 4)), options("mark markname", [("*", "star"), ("#", "hash sign"), ("x", "letter x")])
        ),
        does=("hide all but the last $k characters of $text behind the $markname '$mark'",),
        result=("$text with everything except its last $k characters replaced by '$mark'",),
        says=("On a receipt only the final $k characters of $text may be seen; print '$mark' for each of the others.",),
        edge=("A $text of $k characters or fewer is shown whole.", "The length does not change."),
        bodies=(
            'return "$mark" * (len($text) - $k) + $text[-$k:]',
            """
            result = ""
            for i, c in enumerate($text):
                result += c if i >= len($text) - $k else "$mark"
            return result
            """,
        ),
        draw=lambda d: (d.choice((d.word(), str(d.integer(10000, 99999999)))),),
        edges=(("",), ("a",), ("12345678",)),
        skills=("slicing",),
    ),
    Family(
        name="truncate_text",
        topic="strings/slicing/ends",
        args="text: str, k: int",
        returns="str",
        keywords="truncate shorten cut dots ellipsis limit length",
        names=("shorten", "cut_with_$name"),
        choices=options(
            "mark name", [("...", "dots"), ("~", "tilde"), (">", "arrow"), ("+", "plus"), ("[more]", "note")]
        ),
        does=("cut $text after $k characters and ^put '$mark' behind it",),
        result=("$text if it has at most $k characters, otherwise its first $k characters followed by '$mark'",),
        says=("A label has room for $k characters. Longer texts are cut there and marked with '$mark'.",),
        must=("If $text is not longer than $k, it is returned as it is.",),
        bodies=(
            """
            if len($text) <= $k:
                return $text
            return $text[:$k] + "$mark"
            """,
            'return $text if len($text) <= $k else $text[:$k] + "$mark"',
        ),
        draw=lambda d: (d.text(), d.integer(1, 12)),
        edges=(("", 3), ("abc", 3), ("abcd", 3)),
        skills=("slicing", "branches"),
    ),
    Family(
        name="rotate_$side",
        topic="strings/slicing/rotation",
        args="text: str, k: int",
        returns="str",
        keywords="rotate shift left right cyclic characters",
        names=("rotate_text_$side", "shift_$side"),
        choices=options(
            "side code from to",
            [("left", "$k % len($text)", "front", "end"), ("right", "-$k % len($text)", "end", "front")],
        ),
        does=("rotate $text by $k places to the $side", "move $k characters of $text from the $from to the $to"),
        result=("$text rotated to the $side by $k characters",),
        says=("Write $text on a ring and turn the ring $k places to the $side. Return what it reads now.",),
        edge=("$k may be larger than the length of $text.", "An empty string cannot change."),
        bodies=(
            """
            if not $text:
                return $text
            i = $code
            return $text[i:] + $text[:i]
            """,
        ),
        draw=lambda d: (d.word(), d.integer(0, 9)),
        edges=(("", 3), ("abcd", 1), ("abcd", 4), ("abc", 5)),
        skills=("slicing", "remainder"),
    ),
    Family(
        name="compress_runs",
        topic="strings/runs/encoding",
        args="text: str",
        returns="str",
        keywords="compress run length encoding runs count",
        names=("run_length_encode", "encode_runs"),
        does=("compress $text by writing each run of equal characters as the character and its count",),
        result=("the run-length encoding of $text, such as 'a3b1' for 'aaab'",),
        says=(
            "Shorten $text: instead of repeating a character, write it once with the number of repetitions after it.",
        ),
        edge=("Single characters get a 1 as well.", "An empty string gives an empty string."),
        bodies=(
            'return "".join(f"{c}{len(list(group))}" for c, group in groupby($text))',
            """
            result = ""
            i = 0
            while i < len($text):
                j = i
                while j < len($text) and $text[j] == $text[i]:
                    j += 1
                result += $text[i] + str(j - i)
                i = j
            return result
            """,
        ),
        draw=lambda d: (d.letters("aab", 2, 9),),
        edges=(("",), ("abc",), ("aaab",)),
        skills=("runs",),
    ),
    Family(
        name="expand_runs",
        topic="strings/runs/decoding",
        args="text: str",
        returns="str",
        keywords="expand run length decoding repeat digits",
        names=("run_length_decode", "unpack_counts"),
        does=("expand $text, in which each letter is followed by one digit that says how often it occurs",),
        result=("the string that the run-length code $text stands for",),
        says=("In $text, letters and digits alternate: 'x4' means four times x. Write the whole string out.",),
        edge=("Counts have exactly one digit.",),
        bodies=(
            """
            result = ""
            for i in range(0, len($text), 2):
                result += $text[i] * int($text[i + 1])
            return result
            """,
            'return "".join(c * int(n) for c, n in zip($text[::2], $text[1::2]))',
        ),
        draw=lambda d: ("".join(d.choice("abcxyz") + str(d.integer(0, 5)) for _ in range(d.integer(1, 4))),),
        edges=(("",), ("a3b1",), ("x0y2",)),
        skills=("slicing", "zip"),
    ),
    Family(
        name="collapse_repeats",
        topic="strings/runs/squeezing",
        args="text: str",
        returns="str",
        keywords="remove adjacent duplicates collapse squeeze consecutive repeated",
        names=("squeeze_text", "remove_adjacent_duplicates"),
        does=("shrink every run of equal neighbouring characters in $text to a single character",),
        result=("$text without characters that repeat the one directly before them",),
        says=("'boook keeeper' was typed on sticky keys. Keep one character of each block of equal ones in $text.",),
        edge=("Equal characters that are not neighbours both stay.",),
        bodies=(
            """
            result = ""
            for c in $text:
                if not result or result[-1] != c:
                    result += c
            return result
            """,
            'return "".join(c for i, c in enumerate($text) if i == 0 or $text[i - 1] != c)',
            'return "".join(c for c, _ in groupby($text))',
        ),
        draw=lambda d: (d.letters("aabc", 2, 9),),
        edges=(("",), ("aaa",), ("abab",), ("balloon",)),
        skills=("runs", "neighbours"),
    ),
    Family(
        name="alternate_case",
        topic="strings/case/alternation",
        args="text: str",
        returns="str",
        keywords="alternate case upper lower index even odd",
        names=("zigzag_case", "wave_case"),
        choices=options("first second rest", [("upper", "lower", 0), ("lower", "upper", 1)]),
        does=("change the case of $text so that letters at even indices are $first case and the others $second case",),
        result=("$text with $first-case characters at index 0, 2, 4 and so on, and $second-case ones in between",),
        says=(
            "Write $text up and down like a wave: the first character in $first case, the next in $second case, "
            "and so on.",
        ),
        edge=("Characters that are not letters count as positions too, but do not change.",),
        bodies=(
            'return "".join(c.$first() if i % 2 == 0 else c.$second() for i, c in enumerate($text))',
            """
            result = ""
            for i in range(len($text)):
                if i % 2 == 0:
                    result += $text[i].$first()
                else:
                    result += $text[i].$second()
            return result
            """,
        ),
        draw=lambda d: (d.text(),),
        edges=(("",), ("a",), ("Hello you",)),
        skills=("enumerate", "string-building"),
    ),
    Family(
        name="insert_every",
        topic="strings/slicing/chunks",
        args="text: str",
        returns="str",
        keywords="insert separator every chunk groups join split blocks",
        names=("group_by_$k", "separate_every_$k"),
        choices=cross(
            each("k", (2, 3, 4, 5)),
            options("mark markname", [("-", "a hyphen"), (" ", "a space"), (":", "a colon"), ("/", "a slash")]),
        ),
        does=("split $text into groups of $k characters and ^join them with $markname",),
        result=("$text with $markname after every $k characters, but not at the end",),
        says=("Long codes are easier to read in blocks of $k. Put $markname between the blocks of $text.",),
        edge=("The last group may be shorter.",),
        bodies=(
            'return "$mark".join($text[i : i + $k] for i in range(0, len($text), $k))',
            """
            parts = []
            for i in range(0, len($text), $k):
                parts.append($text[i : i + $k])
            return "$mark".join(parts)
            """,
            """
            result = ""
            for i, c in enumerate($text):
                if i > 0 and i % $k == 0:
                    result += "$mark"
                result += c
            return result
            """,
        ),
        draw=lambda d: (d.choice((d.letters("ABCDEF", 3, 10), str(d.integer(1000, 999999999)))),),
        edges=(("",), ("abcdef",), ("abcdefg",)),
        skills=("chunks", "slicing"),
    ),
    Family(
        name="keep_only_$kind",
        topic="strings/filtering/characters",
        args="text: str",
        returns="str",
        keywords="keep only filter remove other characters strip",
        names=("only_$kind", "extract_$kind"),
        choices=options(
            "kind test",
            [
                ("letters", "c.isalpha()"),
                ("digits", "c.isdigit()"),
                ("capitals", "c.isupper()"),
                ("consonants", 'c.isalpha() and c.lower() not in "aeiou"'),
            ],
        ),
        does=("remove everything from $text except its $kind", "filter $text so that only the $kind remain"),
        result=("a string of the $kind of $text in their original order",),
        says=("Erase all characters of $text that are not $kind and close the gaps.",),
        edge=("If nothing remains, the result is the empty string.",),
        bodies=(
            'return "".join(c for c in $text if $test)',
            """
            result = ""
            for c in $text:
                if $test:
                    result += c
            return result
            """,
            'return "".join([c for c in $text if $test])',
        ),
        draw=lambda d: (d.text(),),
        edges=(("",), ("a1-B2",), ("... ",)),
        skills=("string-building", "comprehension"),
    ),
    Family(
        name="sandwich",
        topic="strings/building/mirrors",
        args="text: str",
        returns="str",
        keywords="mirror reverse append backwards",
        names=("mirror_text", "add_mirror_image"),
        choices=options(
            "code how",
            [
                ("$text + $text[::-1]", "followed by its reverse"),
                ("$text[::-1] + $text", "preceded by its reverse"),
                ("$text[::-1] + $text[::-1]", "reversed and then written twice"),
            ],
        ),
        result=("$text $how",),
        says=("Put a mirror at the edge of $text. The picture that you see is $text $how; return it.",),
        edge=("Nothing comes of an empty string.",),
        bodies=("return $code", "result = $code\nreturn result"),
        draw=lambda d: (d.word(),),
        edges=(("",), ("a",), ("abc",)),
        skills=("slicing",),
    ),
)
