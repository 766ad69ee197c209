"""Families on words: sentences as lists of words, lists of strings."""

from pipeline.teacher.composer.fragments import Family, cross, each, options

FAMILIES = (
    Family(
        name="reverse_word_order",
        topic="strings/words/order",
        args="sentence: str",
        returns="str",
        keywords="reverse order words sentence backwards",
        names=("reverse_$name", "backwards_$name"),
        choices=options(
            "name code words",
            [
                ("word_order", '" ".join($sentence.split()[::-1])', "with its words in reverse order"),
                (
                    "each_word",
                    '" ".join(w[::-1] for w in $sentence.split())',
                    "with every single word spelt backwards, the words staying where they are",
                ),
            ],
        ),
        does=("rewrite $sentence $words",),
        result=("$sentence $words",),
        says=("A puzzle prints $sentence $words. Produce that text.",),
        edge=("The words of the result are separated by single spaces.",),
        bodies=("return $code", "result = $code\nreturn result"),
        draw=lambda d: (d.sentence(2, 5),),
        edges=(("",), ("one",), ("red green blue",)),
        skills=("split", "slicing"),
    ),
    Family(
        name="make_acronym",
        topic="strings/words/initials",
        args="sentence: str",
        returns="str",
        keywords="acronym initials first letters words abbreviation",
        names=("acronym", "initials"),
        choices=options(
            "mark tail",
            [
                ("", ""),
                (".", " with a full stop after each"),
                ("-", " with a hyphen after each"),
                ("*", " with a star after each"),
                ("/", " with a slash after each"),
            ],
        ),
        does=("form an acronym from $sentence: the first letters of its words as capitals$tail",),
        result=("the capitalised initials of the words in $sentence, written together$tail",),
        says=("How would you abbreviate $sentence? Take the first letter of each word as a capital$tail.",),
        edge=("A sentence without words gives an empty string.",),
        bodies=(
            'return "".join(w[0].upper() + "$mark" for w in $sentence.split())',
            """
            result = ""
            for w in $sentence.split():
                result += w[0].upper() + "$mark"
            return result
            """,
        ),
        draw=lambda d: (d.sentence(2, 5),),
        edges=(("",), ("portable network graphics",), ("a",)),
        skills=("split", "string-building"),
    ),
    Family(
        name="$which_word",
        topic="strings/words/length",
        args="sentence: str",
        returns="str",
        keywords="longest shortest word sentence length find",
        names=("find_$which_word", "$which_word_in"),
        choices=cross(
            options("which code sign", [("longest", "max", ">"), ("shortest", "min", "<")]),
            options(
                "tie listing compare", [("first", "$sentence.split()", ""), ("last", "$sentence.split()[::-1]", "=")]
            ),
        ),
        result=("the $which word of $sentence",),
        does=("find the $which word in $sentence",),
        says=("Of all words in $sentence, return the $which.",),
        must=("If several words have that length, return the $tie of them.", "In case of a tie the $tie one wins."),
        edge=("An empty sentence gives an empty string.",),
        bodies=(
            'return $code($listing, key=len, default="")',
            """
            words = $sentence.split()
            if not words:
                return ""
            best = words[0]
            for w in words[1:]:
                if len(w) $sign$compare len(best):
                    best = w
            return best
            """,
        ),
        draw=lambda d: (d.sentence(2, 6),),
        edges=(("",), ("one",), ("aa bb c dd e",)),
        skills=("split", "best-so-far"),
    ),
    Family(
        name="join_with_and",
        topic="strings/words/joining",
        args="words: list[str]",
        returns="str",
        keywords="join list words and or comma natural enumeration",
        names=("list_in_words", "enumerate_with_$link"),
        choices=options("link", [("and",), ("or",), ("plus",), ("then",), ("nor",)]),
        does=("write the strings of $words as one phrase, with commas between them and '$link' before the last one",),
        result=("the elements of $words as running text, such as 'a, b $link c' for three of them",),
        says=("Turn a list into English: the items are separated by commas, but '$link' connects the last two.",),
        edge=("One item stands alone; an empty list gives an empty string.", "There is no comma before '$link'."),
        bodies=(
            """
            if len($words) < 2:
                return "".join($words)
            return ", ".join($words[:-1]) + " $link " + $words[-1]
            """,
            """
            if not $words:
                return ""
            if len($words) == 1:
                return $words[0]
            return f"{', '.join($words[:-1])} $link {$words[-1]}"
            """,
        ),
        draw=lambda d: (d.words(1, 4),),
        edges=(([],), (["tea"],), (["tea", "milk"],), (["a", "b", "c"],)),
        skills=("string-building", "branches"),
    ),
    Family(
        name="number_the_lines",
        topic="strings/formatting/enumeration",
        args="words: list[str]",
        returns="list[str]",
        keywords="number lines enumerate prefix items list format",
        names=("numbered_items", "add_numbers"),
        choices=cross(each("k", (0, 1, 10, 100)), options("mark", [(". ",), (") ",), (": ",), (" - ",)])),
        does=("put a running number, starting at $k, and '$mark' in front of each string of $words",),
        result=(
            "a list of the strings of $words, each preceded by its number and '$mark', where the first number is $k",
        ),
        says=("Make a numbered list: the first item of $words becomes '$k$mark' and the item, and so on.",),
        bodies=(
            'return [f"{i}$mark{w}" for i, w in enumerate($words, start=$k)]',
            """
            result = []
            for i in range(len($words)):
                result.append(str(i + $k) + "$mark" + $words[i])
            return result
            """,
        ),
        draw=lambda d: (d.words(1, 3),),
        edges=(([],), (["tea"],), (["tea", "bun"],)),
        skills=("enumerate",),
    ),
    Family(
        name="pad_words",
        topic="strings/formatting/alignment",
        args="words: list[str]",
        returns="list[str]",
        keywords="pad align width fill left right justify strings",
        names=("align_$side", "pad_to_same_width"),
        choices=cross(
            options(
                "side method front back",
                [
                    ("right", "rjust", "$fill * (width - len(w)) + w", "in front"),
                    ("left", "ljust", "w + $fill * (width - len(w))", "behind"),
                ],
            ),
            options("fill fillname", [('" "', "spaces"), ('"."', "dots"), ('"_"', "underscores")]),
        ),
        does=("make all strings of $words as long as the longest one by adding $fillname $back",),
        result=("a list of the strings of $words, each filled up with $fillname $back to the length of the longest",),
        says=("For a table, all entries of $words must have equal width. Add $fillname $back where needed.",),
        edge=("The longest string does not change.",),
        bodies=(
            """
            width = max((len(w) for w in $words), default=0)
            return [w.$method(width, $fill) for w in $words]
            """,
            """
            width = max(map(len, $words), default=0)
            return [$front for w in $words]
            """,
        ),
        draw=lambda d: (d.words(2, 4),),
        edges=(([],), (["a"],), (["a", "bbb"],)),
        skills=("string-building",),
    ),
    Family(
        name="to_$target_case",
        topic="strings/case/identifiers",
        args="text: str",
        returns="str",
        keywords="camel snake kebab case convert identifier name words",
        names=("words_to_$target_case", "make_$target_case"),
        choices=options(
            "target code words",
            [
                (
                    "camel",
                    '"".join(w if i == 0 else w.capitalize() for i, w in enumerate($text.split("_")))',
                    "camel case, such as 'maxValue' for 'max_value'",
                ),
                (
                    "pascal",
                    '"".join(w.capitalize() for w in $text.split("_"))',
                    "Pascal case, such as 'MaxValue' for 'max_value'",
                ),
                ("kebab", '"-".join($text.split("_"))', "kebab case, such as 'max-value' for 'max_value'"),
                (
                    "title",
                    '" ".join(w.capitalize() for w in $text.split("_"))',
                    "a title, such as 'Max Value' for 'max_value'",
                ),
                ("constant", "$text.upper()", "a constant's name, such as 'MAX_VALUE' for 'max_value'"),
            ],
        ),
        does=("convert the snake-case name $text into $words",),
        result=("the lower-case name $text, whose words are joined by underscores, as $words",),
        says=("A program calls a variable $text. Rewrite the name as $words.",),
        bodies=("return $code", "result = $code\nreturn result"),
        draw=lambda d: ("_".join(d.words(1, 3)),),
        edges=(("a",), ("max_value",), ("read_all_lines",)),
        skills=("split", "string-building"),
    ),
    Family(
        name="camel_to_snake",
        topic="strings/case/identifiers",
        args="text: str",
        returns="str",
        keywords="camel case snake convert identifier capitals split words",
        names=("split_camel_case", "camel_to_$name"),
        choices=options(
            "name mark markname",
            [
                ("snake", "_", "an underscore"),
                ("kebab", "-", "a hyphen"),
                ("words", " ", "a space"),
                ("dotted", ".", "a dot"),
                ("path", "/", "a slash"),
            ],
        ),
        does=("put $markname before every capital letter of $text and ^write all letters small",),
        result=("$text in lower case, with $markname before each letter that was a capital",),
        says=(
            "The name $text is in camel case: capitals mark where a word starts. Mark it by $markname instead, all "
            "small.",
        ),
        edge=("$text starts with a small letter.",),
        bodies=(
            """
            result = ""
            for c in $text:
                if c.isupper():
                    result += "$mark" + c.lower()
                else:
                    result += c
            return result
            """,
            'return "".join("$mark" + c.lower() if c.isupper() else c for c in $text)',
        ),
        draw=lambda d: (d.word() + "".join(w.capitalize() for w in d.words(0, 2)),),
        edges=(("",), ("name",), ("maxHeapSize",)),
        skills=("string-building",),
    ),
    Family(
        name="move_first_letter",
        topic="strings/words/games",
        args="sentence: str",
        returns="str",
        keywords="pig latin move first letter end words secret language game",
        names=("secret_language", "play_latin"),
        choices=options("ending", [("ay",), ("o",), ("eth",), ("um",), ("ix",), ("a",)]),
        does=("move the first letter of each word of $sentence to the end of the word and ^add '$ending'",),
        result=(
            "$sentence in a secret language: in every word the first letter goes to the end and '$ending' follows",
        ),
        says=("Children speak so: 'tea' becomes 'eat$ending'. Translate each word of $sentence in this way.",),
        bodies=(
            'return " ".join(w[1:] + w[0] + "$ending" for w in $sentence.split())',
            """
            result = []
            for w in $sentence.split():
                result.append(w[1:] + w[0] + "$ending")
            return " ".join(result)
            """,
        ),
        draw=lambda d: (" ".join(d.words(1, 4)),),
        edges=(("",), ("a",), ("red tea",)),
        skills=("split", "slicing"),
    ),
    Family(
        name="words_with_$name",
        topic="strings/words/filtering",
        args="words: list[str], part: str",
        returns="list[str]",
        keywords="words containing starting ending substring filter prefix suffix",
        names=("filter_words_$name", "select_$name"),
        choices=options(
            "name test verb",
            [
                ("without_part", "$part not in w", "do not contain"),
                ("not_starting", "not w.startswith($part)", "do not start with"),
                ("ending", "w.endswith($part)", "end with"),
                ("not_ending", "not w.endswith($part)", "do not end with"),
                ("part_inside", "$part in w[1:-1]", "contain, somewhere between their first and last letter,"),
            ],
        ),
        result=("a list of the strings in $words that $verb $part",),
        does=("keep those strings of $words that $verb $part",),
        says=("From the catalogue $words choose the entries that $verb $part.",),
        edge=("The order stays the same.",),
        bodies=(
            "return [w for w in $words if $test]",
            """
            result = []
            for w in $words:
                if $test:
                    result.append(w)
            return result
            """,
        ),
        draw=lambda d: (d.words(2, 5), d.choice(("a", "e", "o", "r", "n", "st", "er"))),
        edges=(([], "a"), (["bar", "car"], "ar"), (["arc", "tear", "rat"], "a")),
        skills=("comprehension",),
    ),
    Family(
        name="cap_line_length",
        topic="strings/words/wrapping",
        args="sentence: str, limit: int",
        returns="list[str]",
        keywords="wrap lines width words break text paragraph",
        names=("wrap_words", "break_into_lines"),
        does=("break $sentence into lines of at most $limit characters without splitting words",),
        result=("a list of lines, each filled with as many words of $sentence as fit into $limit characters",),
        says=(
            "Set $sentence in a column $limit characters wide: put a word on the current line if it fits, else "
            "start a new one.",
        ),
        edge=("Words on a line are separated by one space.", "No word is longer than $limit."),
        bodies=(
            """
            lines = []
            current = ""
            for w in $sentence.split():
                if not current:
                    current = w
                elif len(current) + 1 + len(w) <= $limit:
                    current += " " + w
                else:
                    lines.append(current)
                    current = w
            if current:
                lines.append(current)
            return lines
            """,
        ),
        draw=lambda d: (d.sentence(3, 7), d.integer(9, 16)),
        edges=(("", 5), ("one", 5), ("a bb ccc dddd", 6)),
        skills=("split", "greedy"),
    ),
    Family(
        name="swap_$who",
        topic="strings/words/order",
        args="words: list[str]",
        returns="list[str]",
        keywords="swap exchange first last elements list ends",
        names=("exchange_$who",),
        choices=options(
            "who code what",
            [
                ("ends", "$words[-1:] + $words[1:-1] + $words[:1]", "its first and its last element exchanged"),
                ("first_two", "$words[1:2] + $words[:1] + $words[2:]", "its first two elements exchanged"),
                ("last_two", "$words[:-2] + $words[-1:] + $words[-2:-1]", "its last two elements exchanged"),
            ],
        ),
        result=("a copy of $words with $what",),
        does=("make a copy of $words with $what",),
        says=("Return the list $words, but with $what.",),
        edge=("Lists with fewer than two elements are returned unchanged.",),
        bodies=("if len($words) < 2:\n    return $words\nreturn $code",),
        draw=lambda d: (d.words(2, 5),),
        edges=(([],), (["a"],), (["a", "b"],), (["a", "b", "c"],)),
        skills=("slicing",),
    ),
)
