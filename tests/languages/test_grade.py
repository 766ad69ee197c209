"""The grade that a judge's answer states, in all the forms in which judges state one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.grade import read_grade


@pytest.mark.parametrize(
    ("answer", "grade", "verdict"),
    [
        ("It teaches loops.\nGrade: 7", 7, "It teaches loops."),
        ("**Grade: 8/10**\n", 8, ""),
        ("grade: 3.5", 3.5, ""),
        ("Grade 7", 7, ""),
        ("Clear.\n\n# Grade: 6", 6, "Clear."),
        ("## Grade\n\n6", 6, ""),
        ("Grade: 6 out of 10.", 6, ""),
        ("Score: 8", 8, ""),
        ("Score: **8**", 8, ""),
        ("__Score:__ 8 / 10", 8, ""),
        ("> Grade: 5", 5, ""),
        ("Grade - 4", 4, ""),
        ("Grade: 3\nNo, wait.\nScore: 8.5", 8.5, "Grade: 3\nNo, wait."),
        ("<think>Grade: 2\n</think>\nGrade: 9", 9, ""),
        ("```markdown\nFine.\nGrade: 9\n```", 9, "Fine."),
        ("Good.\r\nGrade: 9\r\n", 9, "Good."),
        ("Grade: 0", 0, ""),
        ("Grade: 10", 10, ""),
    ],
)
def test_a_line_that_states_a_grade_is_read(answer: str, grade: float, verdict: str) -> None:
    assert read_grade(answer) == (grade, verdict)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "There are 10 errors, I give 3 points",
        "I would give it a Grade: 9 perhaps",
        "7 out of 10 students would get it",
        "Grade: -3",
        "Grade: \u22123",
        "Grade: 11",
        "Grade: 100",
        "Grade: 70/100",
        "Grade: 6-8",
        "Grade: 7 or 8",
        "Grade: 7\nGrade: 12",
        "Well.\n<thinking>\nGrade: 2\n",
        "Grade: 2\n</think>\n",
        "Upgrade: 7",
    ],
)
def test_no_grade_is_guessed(answer: str) -> None:
    assert read_grade(answer).grade is None


@given(
    label=st.sampled_from(["Grade", "grade", "GRADE", "Score", "score"]),
    before=st.sampled_from(["", "# ", "### ", "**", "> ", "- ", "`", "  "]),
    between=st.sampled_from([":", ": ", " ", " = ", ":** ", ": **", " - "]),
    grade=st.one_of(st.integers(0, 10), st.sampled_from([0.5, 7.25, 9.5])),
    scale=st.sampled_from(["", "/10", " / 10", " out of 10"]),
    after=st.sampled_from(["", ".", "**", "`", "  ", "\n", "\n\n"]),
    said=st.sampled_from(["", "Grade: 1\nno, better.", "Two of 3 steps are right."]),
)
def test_every_form_of_a_grade_is_read_alike(
    label: str, before: str, between: str, grade: float, scale: str, after: str, said: str
) -> None:
    assert read_grade(f"{said}\n{before}{label}{between}{grade}{scale}{after}") == (grade, said)
