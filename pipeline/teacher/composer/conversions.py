"""Families that convert between notations, units and calendars."""

from pipeline.teacher.composer.fragments import Family, each, options

FAMILIES = (
    Family(
        name="to_base_$k",
        topic="conversions/bases/digits",
        args="n: int",
        returns="str",
        keywords="base convert number system digits representation binary ternary octal",
        names=("number_to_base_$k", "digits_in_base_$k"),
        choices=each("k", (2, 3, 4, 5, 6, 7, 8, 9)),
        does=("write $n in base $k", "convert $n into a string of base-$k digits"),
        result=("the representation of $n in the number system with base $k, as a string",),
        says=("Beings with $k fingers count in base $k. How do they write $n?",),
        edge=("Zero is written '0'.", "$n is not negative."),
        bodies=(
            """
            if $n == 0:
                return "0"
            digits = ""
            while $n > 0:
                digits = str($n % $k) + digits
                $n //= $k
            return digits
            """,
            """
            if $n < $k:
                return str($n)
            return $self($n // $k) + str($n % $k)
            """,
        ),
        draw=lambda d: (d.integer(0, 200),),
        edges=((0,), (1,), (9,)),
        skills=("digits", "while"),
    ),
    Family(
        name="from_base_$k",
        topic="conversions/bases/parsing",
        args="text: str",
        returns="int",
        keywords="base convert parse number system digits value int",
        names=("base_$k_to_int", "parse_base_$k"),
        choices=each("k", (2, 3, 4, 5, 6, 7, 8, 9)),
        does=("convert $text, a number written in base $k, into an integer",),
        result=("the value of the base-$k numeral $text",),
        says=("$text is a string of digits in the number system with base $k. What number is it?",),
        edge=("An empty string counts as 0.",),
        bodies=(
            """
            value = 0
            for c in $text:
                value = value * $k + int(c)
            return value
            """,
            "return sum(int(c) * $k**i for i, c in enumerate($text[::-1]))",
            "return int($text, $k) if $text else 0",
        ),
        draw=lambda d: (d.letters("01", 1, 6),),
        edges=(("",), ("0",), ("11",), ("1000",)),
        skills=("digits", "accumulator"),
    ),
    Family(
        name="to_roman",
        topic="conversions/roman/writing",
        args="n: int",
        returns="str",
        keywords="roman numeral convert number letters write",
        names=("roman_numeral", "int_to_roman"),
        choices=options("case lower", [("capital letters", ""), ("small letters", ".lower()")]),
        does=("write $n as a Roman numeral in $case",),
        result=("the Roman numeral for $n in $case",),
        says=("Clock faces and kings use I, V, X, L and C. Write $n in that way, in $case.",),
        edge=("$n is between 1 and 99.", "Four is IV and nine is IX, not IIII and VIIII."),
        bodies=(
            """
            table = [(90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
            result = ""
            for value, sign in table:
                while $n >= value:
                    result += sign
                    $n -= value
            return result$lower
            """,
            """
            tens = ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"]
            ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"]
            return (tens[$n // 10] + ones[$n % 10])$lower
            """,
        ),
        draw=lambda d: (d.integer(1, 99),),
        edges=((1,), (4,), (49,)),
        skills=("greedy", "table"),
    ),
    Family(
        name="from_roman",
        topic="conversions/roman/reading",
        args="text: str",
        returns="int",
        keywords="roman numeral parse value read convert",
        names=("roman_value", "parse_roman"),
        does=("read the Roman numeral $text",),
        result=("the value of the Roman numeral $text",),
        says=("An old stone shows the year as $text in Roman letters. What number is that?",),
        edge=("A letter before a larger one is subtracted, as in IV.", "Only the letters I, V, X, L and C occur."),
        bodies=(
            """
            values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
            total = 0
            for i, c in enumerate($text):
                if i + 1 < len($text) and values[$text[i + 1]] > values[c]:
                    total -= values[c]
                else:
                    total += values[c]
            return total
            """,
            """
            values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
            total = 0
            last = 0
            for c in reversed($text):
                value = values[c]
                total += -value if value < last else value
                last = value
            return total
            """,
        ),
        draw=lambda d: (d.choice(("III", "VI", "IX", "XIV", "XL", "LXXVIII", "XCIX", "CCVII", "XXIV", "CXLIV")),),
        edges=(("I",), ("IV",), ("XC",)),
        skills=("table", "neighbours"),
    ),
    Family(
        name="format_duration",
        topic="conversions/time/formatting",
        args="n: int",
        returns="str",
        keywords="time format minutes hours seconds clock duration",
        names=("$small_to_clock", "show_$small"),
        choices=options("small large", [("minutes", "hours"), ("seconds", "minutes")]),
        does=("write $n $small as $large and $small in the form 'L:SS', e.g. 65 as '1:05'",),
        result=("a string such as '1:05' for $n equal to 65: the full $large, a colon and the remaining $small",),
        says=("A display shows $n $small as $large and $small with a colon between them. What does it show?",),
        must=("The $small always have two digits.",),
        bodies=(
            'return f"{$n // 60}:{$n % 60:02d}"',
            'large, small = divmod($n, 60)\nreturn f"{large}:{small:02}"',
            'return str($n // 60) + ":" + str($n % 60).zfill(2)',
        ),
        draw=lambda d: (d.integer(0, 600),),
        edges=((0,), (59,), (60,), (125,)),
        skills=("remainder", "formatting"),
    ),
    Family(
        name="parse_clock",
        topic="conversions/time/parsing",
        args="text: str",
        returns="int",
        keywords="parse clock time minutes since midnight hours split colon",
        names=("minutes_since_midnight", "clock_to_$unit"),
        choices=options(
            "unit code words",
            [
                ("minutes", "int(hours) * 60 + int(minutes)", "minutes since midnight"),
                ("seconds", "int(hours) * 3600 + int(minutes) * 60", "seconds since midnight"),
                ("minutes_left", "24 * 60 - int(hours) * 60 - int(minutes)", "minutes left until the next midnight"),
            ],
        ),
        does=("convert the time $text, given as 'HH:MM', to the number of $words",),
        result=("the number of $words at the time $text, which has the form 'HH:MM'",),
        says=("It is $text o'clock, hours and minutes with a colon between. How many $words is that?",),
        bodies=('hours, minutes = $text.split(":")\nreturn $code',),
        draw=lambda d: (f"{d.integer(0, 23):02}:{d.integer(0, 59):02}",),
        edges=(("00:00",), ("23:59",), ("09:05",)),
        skills=("split", "parsing"),
    ),
    Family(
        name="is_leap_year",
        topic="conversions/calendar/years",
        args="year: int",
        returns="int",
        keywords="leap year days calendar february length",
        names=("days_in_$name", "$name_days"),
        choices=options(
            "name long short label",
            [
                ("year", 366, 365, "the year $year"),
                ("february", 29, 28, "February of the year $year"),
                ("first_quarter", 91, 90, "January to March of the year $year"),
            ],
        ),
        result=("the number of days in $label",),
        does=("compute how many days $label has",),
        says=("How many days are there in $label?",),
        must=("Years divisible by 4 are leap years, except full centuries that 400 does not divide.",),
        bodies=(
            """
            if $year % 400 == 0 or ($year % 4 == 0 and $year % 100 != 0):
                return $long
            return $short
            """,
            """
            leap = $year % 4 == 0 and ($year % 100 != 0 or $year % 400 == 0)
            return $long if leap else $short
            """,
        ),
        draw=lambda d: (d.choice((d.integer(1890, 2040), 4 * d.integer(470, 510), 100 * d.integer(15, 24))),),
        edges=((2000,), (1900,), (2023,), (2024,)),
        skills=("branches", "remainder"),
    ),
    Family(
        name="weekday_after",
        topic="conversions/calendar/weekdays",
        args="word: str, n: int",
        returns="str",
        keywords="weekday day week after before days name modulo",
        names=("day_$name", "weekday_$name"),
        choices=options("name sign words", [("after", "+", "after"), ("before", "-", "before")]),
        result=("the name of the weekday that comes $n days $words $word",),
        does=("find out which weekday it is $n days $words a $word",),
        says=("If today is $word, what day will it be, or was it, $n days $words that day?",),
        edge=("Weekdays are spelt out with a capital, such as 'Monday'.", "$n may be larger than 7."),
        bodies=(
            """
            days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
            return days[(days.index($word) $sign $n) % 7]
            """,
        ),
        draw=lambda d: (
            d.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
            d.integer(0, 30),
        ),
        edges=(("Monday", 0), ("Sunday", 1), ("Friday", 10)),
        skills=("remainder", "table"),
    ),
    Family(
        name="convert_$name",
        topic="conversions/units/temperature",
        args="n: int",
        returns="int",
        keywords="convert units temperature celsius fahrenheit length weight",
        names=("$name", "$name_converter"),
        choices=options(
            "name code words",
            [
                ("fahrenheit_to_celsius", "($n - 32) * 5 // 9", "from degrees Fahrenheit to degrees Celsius"),
                ("celsius_to_fahrenheit", "$n * 9 // 5 + 32", "from degrees Celsius to degrees Fahrenheit"),
                ("feet_to_centimetres", "$n * 3048 // 100", "from feet to centimetres (one foot is 30.48 centimetres)"),
                ("miles_to_metres", "$n * 1609344 // 1000", "from miles to metres (one mile is 1609.344 metres)"),
                ("ounces_to_grams", "$n * 2835 // 100", "from ounces to grams (one ounce is 28.35 grams)"),
                (
                    "inches_to_millimetres",
                    "$n * 254 // 10",
                    "from inches to millimetres (one inch is 25.4 millimetres)",
                ),
            ],
        ),
        does=("convert $n $words, rounding down to a whole number",),
        result=("$n converted $words and rounded down",),
        says=("A traveller has to convert the measure $n $words. Give the whole number, rounded down.",),
        bodies=("return $code", "result = $code\nreturn result"),
        draw=lambda d: (d.integer(0, 120),),
        edges=((0,), (1,), (100,)),
        skills=("arithmetic",),
    ),
)
