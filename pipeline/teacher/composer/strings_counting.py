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
)
