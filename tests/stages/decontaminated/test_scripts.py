"""Copies of problem statements are found in any script, however the text is written."""

# ruff: noqa: E501 - a statement is one line

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.records import Document, Passage, Problem
from pipeline.core.stage import Dropped
from pipeline.stages.decontaminated.ngrams import ProblemNgrams
from pipeline.stages.decontaminated.stage import Decontaminate

LONG = {
    "English": "Collect the largest value seen for every key of the given pairs and order the result by key, last first.",
    "Chinese": "给定一个由整数组成的列表，返回其中所有偶数的平方和，如果列表为空则返回零。",
    "spaced Chinese": "给定 一个 由 整数 组成 的 列表 ， 返回 其中 所有 偶数 的 平方和 ， 如果 列表 为空 则 返回 零 。",
    "Japanese": "整数のリストが与えられたとき、偶数だけを取り出してその平方の合計を返す関数を書いてください。",
    "Korean": "정수로 이루어진 목록이 주어지면 그중 짝수만 골라 제곱한 값을 모두 더한 결과를 돌려주고 목록이 비어 있으면 영을 반환하세요.",
    "Thai": "กำหนดรายการของจำนวนเต็มมาให้ จงคืนค่าผลรวมของกำลังสองของจำนวนคู่ทั้งหมดในรายการนั้น",
    "Lao": "ໃຫ້ລາຍການຂອງຈຳນວນເຕັມ ຈົ່ງສົ່ງຄືນຜົນລວມຂອງກຳລັງສອງຂອງເລກຄູ່ທັງໝົດ",
    "Khmer": "ដោយផ្តល់បញ្ជីនៃចំនួនគត់ សូមត្រឡប់ផលបូកនៃការេនៃលេខគូទាំងអស់ក្នុងបញ្ជីនោះ",
    "Burmese": "ကိန်းပြည့်များစာရင်းတစ်ခုပေးထားလျှင် စုံကိန်းများ၏နှစ်ထပ်ကိန်းများပေါင်းလဒ်ကိုပြန်ပေးပါ",
    "Hindi": "पूर्णांकों की एक सूची दी गई है, उसमें से सभी सम संख्याओं के वर्गों का योग लौटाइए और खाली सूची के लिए शून्य दीजिए।",
    "Arabic": "اكتب دالة تأخذ قائمة من الأعداد الصحيحة وتعيد مجموع مربعات جميع الأعداد الزوجية فيها وتعيد صفرا إذا كانت فارغة.",
    "Hebrew": "כתבו פונקציה המקבלת רשימה של מספרים שלמים ומחזירה את סכום הריבועים של כל המספרים הזוגיים שבה או אפס לרשימה ריקה.",
    "Russian": "Дан список целых чисел; верните сумму квадратов всех чётных чисел этого списка, а для пустого списка верните ноль.",
    "Greek": "Δίνεται μια λίστα ακεραίων αριθμών· επιστρέψτε το άθροισμα των τετραγώνων όλων των άρτιων αριθμών της λίστας αυτής.",
    "French": "Étant donnée une liste d'entiers, renvoyez la somme des carrés de tous les éléments pairs à l'intérieur, triés ou non.",
    "German": "Für eine übergebene Liste ganzer Zahlen gib die größte Summe zurück, die sich aus benachbarten Einträgen bilden lässt.",
    "Vietnamese": "Cho một danh sách các số nguyên, hãy trả về tổng bình phương của tất cả các số chẵn có trong danh sách đó.",
    "Turkish": "Verilen tam sayı listesindeki bütün çift sayıların karelerinin toplamını döndüren işlevi yazın; boş liste için sıfır döndürün.",
}
SHORT = {
    "English": "Return the sum of two numbers.",
    "Chinese": "返回两个数字的和。",
    "Japanese": "二つの数の和を返す。",
    "Korean": "두 개의 수를 더한 합을 반환한다.",
    "Thai": "คืนค่าผลรวมของตัวเลข",
    "Lao": "ສົ່ງຄືນຜົນລວມຂອງສອງຕົວເລກ",
    "Khmer": "ត្រឡប់ផលបូកនៃលេខពីរ",
    "Burmese": "ဂဏန်းနှစ်လုံးပေါင်းလဒ်ကိုပြန်ပေးပါ",
    "Hindi": "दो दी गई संख्याओं का योग लौटाइए।",
    "Arabic": "أعد مجموع العددين الصحيحين المعطيين للدالة.",
    "Russian": "Верните сумму двух заданных целых чисел.",
    "Greek": "Επιστρέψτε το άθροισμα των δύο ακέραιων αριθμών.",
    "French": "Renvoyez la somme des deux éléments donnés.",
}
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "NFKC": lambda text: unicodedata.normalize("NFKC", text),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "narrow no-break spaces": lambda text: text.replace(" ", "\u202f"),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "zero-width spaces": lambda text: "\u200b".join(text),
    "byte order mark": lambda text: "\ufeff" + text.replace(" ", " \ufeff"),
    "quotes": lambda text: "«" + text.replace(" ", "» «") + "»",
    "capitals": lambda text: text.upper(),
    "wide letters": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
}


def problem(text: str, *, docstring: bool) -> Problem:
    prompt = f'def f(x):\n    """{text}\n\n    >>> f(1)\n    2\n    """\n' if docstring else text
    return Problem(benchmark="b", task_id="b/1", prompt=prompt, entry_point="f", test="", canonical_solution="")


def found(problems: list[Problem], text: str) -> bool:
    documents: list[Document] = [
        Passage(text=text),
        Passage(text="Nothing of the kind stands here, in any script at all."),
    ]
    (dropped, other) = list(Decontaminate(problems=problems)(documents))
    assert not isinstance(other, Dropped)
    return isinstance(dropped, Dropped) and dropped.reason == "ngram-overlap"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", LONG)
def test_a_copy_of_a_statement_is_found(language: str, form: str) -> None:
    for docstring in (True, False):
        asked = problem(LONG[language], docstring=docstring)
        assert found([asked], FORMS[form](f"Before. {LONG[language]} After.")), (language, form, docstring)
        assert found([asked], f"# Comment\n\n{FORMS[form](LONG[language])}\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", SHORT)
def test_a_copy_of_a_short_statement_is_found(language: str, form: str) -> None:
    asked = problem(SHORT[language], docstring=True)
    assert found([asked], f"1. {FORMS[form](SHORT[language])}\n2. x"), (language, form)


@pytest.mark.parametrize("language", LONG)
def test_other_sentences_of_the_language_are_kept(language: str) -> None:
    others = [text for name, text in LONG.items() if name.split()[-1] != language.split()[-1]]
    documents: list[Document] = [Passage(text=text) for text in [*others, SHORT.get(language, "x")]]
    outcomes = list(Decontaminate(problems=[problem(LONG[language], docstring=True)])(documents))
    assert not any(isinstance(outcome, Dropped) for outcome in outcomes)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.lists(st.text(max_size=60), max_size=3))
def test_any_text_can_be_a_problem_and_a_document(problems: list[str], texts: list[str]) -> None:
    ngrams = ProblemNgrams([problem(text, docstring=False) for text in problems], 3)
    hits = ngrams.hits([*problems, *texts])
    assert len(hits) == len(problems) + len(texts)
    assert ngrams.hits(["", " "]) == [(), ()]
