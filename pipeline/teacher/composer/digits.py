"""Families on the digits of numbers, decimal and binary."""

from pipeline.teacher.composer.fragments import Family, options

FAMILIES = (
    Family(
        name="sum_of_$kind_digits",
        topic="numbers/digits/sums",
        args="n: int",
        returns="int",
        keywords="digit sum even odd add decimal",
        names=("$kind_digit_sum", "add_$kind_digits"),
        choices=options("kind test", [("even", "== 0"), ("odd", "== 1")]),
        does=("add up the $kind digits of $n", "sum only those digits of $n that are $kind"),
        result=(
            "the sum of the $kind digits of $n",
            "the total of all $kind decimal digits of the non-negative integer $n",
        ),
        says=("Write $n in decimal, cross out every digit that is not $kind, and add what is left.",),
        edge=("$n is never negative.", "If $n has no $kind digit, return 0."),
        bodies=(
            "return sum(int(c) for c in str($n) if int(c) % 2 $test)",
            """
            total = 0
            while $n > 0:
                digit = $n % 10
                if digit % 2 $test:
                    total += digit
                $n //= 10
            return total
            """,
        ),
        draw=lambda d: (d.integer(0, 99999),),
        edges=((0,), (7,), (2468,)),
        skills=("digits", "accumulator"),
    ),
    Family(
        name="reverse_number",
        topic="numbers/digits/reversal",
        args="n: int",
        returns="int",
        keywords="reverse digits number integer backwards",
        names=("reversed_digits", "reverse_digits"),
        does=("reverse the decimal digits of $n", "turn the digits of $n around"),
        result=(
            "the number whose digits are those of $n in reverse order",
            "the integer that you get by reading $n from right to left",
        ),
        says=("If you write the non-negative integer $n backwards, which number do you see?",),
        edge=("Leading zeros of the reversed number disappear.", "A number that ends in 0 becomes shorter."),
        bodies=(
            "return int(str($n)[::-1])",
            """
            result = 0
            while $n > 0:
                result = result * 10 + $n % 10
                $n //= 10
            return result
            """,
        ),
        draw=lambda d: (d.integer(0, 99999),),
        edges=((0,), (120,), (7,)),
        skills=("digits",),
    ),
    Family(
        name="digital_root",
        topic="numbers/digits/sums",
        args="n: int",
        returns="int",
        keywords="digit root repeated sum single",
        names=("repeated_digit_sum", "single_digit_sum"),
        does=(
            "add the digits of $n again and again until one digit is left",
            "replace $n by the sum of its digits until it is below 10 and ^return it",
        ),
        result=("the digital root of $n, that is, the digit left after summing digits repeatedly",),
        says=("Sum the digits of $n, then the digits of that sum, and so on. Return the single digit at the end.",),
        edge=("A one-digit number is its own root.",),
        bodies=(
            """
            while $n >= 10:
                $n = sum(int(c) for c in str($n))
            return $n
            """,
            """
            if $n < 10:
                return $n
            return $self(sum(int(c) for c in str($n)))
            """,
        ),
        draw=lambda d: (d.integer(0, 99999),),
        edges=((0,), (9,), (99,)),
        skills=("digits", "while"),
    ),
    Family(
        name="$which_digit",
        topic="numbers/digits/extremes",
        args="n: int",
        returns="int",
        keywords="largest smallest digit maximum minimum",
        names=("find_$which_digit",),
        choices=options("which code sign", [("largest", "max", ">"), ("smallest", "min", "<")]),
        does=("find the $which digit of $n",),
        result=("the $which decimal digit of $n", "the $which digit that occurs in the non-negative number $n"),
        says=("Look at the digits of $n one by one and remember the $which.",),
        bodies=(
            "return $code(int(c) for c in str($n))",
            """
            best = $n % 10
            while $n > 0:
                digit = $n % 10
                if digit $sign best:
                    best = digit
                $n //= 10
            return best
            """,
            "return int($code(str($n)))",
        ),
        draw=lambda d: (d.integer(0, 99999),),
        edges=((0,), (505,), (19,)),
        skills=("digits", "best-so-far"),
    ),
    Family(
        name="is_palindromic_number",
        topic="numbers/digits/palindromes",
        args="n: int",
        returns="bool",
        keywords="palindrome number digits reverse same",
        names=("number_reads_the_same", "is_mirror_number"),
        cond=("the digits of $n read the same from both ends", "$n does not change when its digits are reversed"),
        says=("Does the first digit of $n equal the last, the second the last but one, and so on? Return a boolean.",),
        edge=("One-digit numbers qualify.",),
        bodies=(
            "return str($n) == str($n)[::-1]",
            """
            digits = str($n)
            for i in range(len(digits) // 2):
                if digits[i] != digits[-1 - i]:
                    return False
            return True
            """,
        ),
        draw=lambda d: (
            d.choice((d.integer(0, 2000), 11 * d.integer(1, 9), 101 * d.integer(1, 9), 1001 * d.integer(1, 9))),
        ),
        edges=((5,), (10,), (1221,)),
        skills=("digits",),
    ),
    Family(
        name="count_set_bits",
        topic="numbers/binary/bits",
        args="n: int",
        returns="int",
        keywords="binary bits ones zeros count",
        names=("binary_$name", "count_binary_$name"),
        choices=options("name digit", [("ones", 1), ("zeros", 0)]),
        does=("count the $name in the binary form of $n",),
        result=(
            "how many digits of $n written in base 2 are $digit",
            "the number of $name in the binary notation of $n",
        ),
        edge=("The binary form has no leading zeros; that of 0 is '0'.",),
        says=(
            "Write the non-negative number $n with the binary digits 0 and 1 only. How often do you write a $digit?",
        ),
        bodies=('return bin($n)[2:].count("$digit")', 'return f"{$n:b}".count("$digit")'),
        draw=lambda d: (d.integer(0, 300),),
        edges=((0,), (1,), (8,), (255,)),
        skills=("binary",),
    ),
)
