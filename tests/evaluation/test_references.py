from datetime import date

import pytest

from pipeline.core import known as names
from pipeline.core.errors import UsageError
from pipeline.evaluation.references import Reference, compared, known, quantised_bits, reference
from pipeline.models.named import known as known_models
from pipeline.stages.scores.estimates import estimated
from pipeline.stages.scores.results import Result

PUBLISHED = Reference(
    name="m",
    title="M",
    prompt_form="chat",
    bits=16,
    harness="EvalPlus, greedy",
    source="somebody 2024",
    read=date(2026, 11, 28),
    scores={"humaneval": 61.6, "mbpp": 52.4},
    remarks={"mbpp": "on 378 of its problems"},
)


def result(passed: int, problems: int = 164, *, benchmark: str = "humaneval", form: str = "chat", **more) -> Result:
    verdicts = [[number < passed] for number in range(problems)]
    return Result(benchmark, "d", "s", estimated(verdicts, (1,), 0), (), prompt_form=form, **more)


def verdict(made: Result, **asked) -> tuple[str, tuple[str, ...]]:
    found = compared(PUBLISHED, made, **{"temperature": 0.0, "samples": 1, **asked})
    return found.verdict, found.unlike


def test_within_three_points_it_is_reproduced() -> None:
    assert verdict(result(101)) == ("reproduced", ())  # 61.6%
    assert verdict(result(97)) == ("reproduced", ())  # 59.1%


def test_further_away_the_interval_decides() -> None:
    assert verdict(result(92))[0] == "within the interval"  # 56.1%
    assert verdict(result(60))[0] == "differs"
    assert verdict(result(140))[0] == "differs"


def test_all_that_is_unlike_the_protocol_is_named() -> None:
    said = verdict(result(101, form="stripped"), temperature=0.2, samples=20, quantised=4)[1]
    assert said == (
        "prompt form stripped, there chat",
        "temperature 0.2, there 0",
        "samples a problem 20, there 1",
        "weights of 4 bits, there 16",
    )
    assert verdict(result(210, 400, benchmark="mbpp"))[1] == ("on 378 of its problems",)


def test_a_part_of_a_benchmark_is_not_compared() -> None:
    assert verdict(result(101, partial="the first 10 of 164")) == ("not comparable", ("the first 10 of 164",))
    score: dict[str, str] = {"HumanEval/3": "no answer"}
    assert verdict(result(101, unscored=score)) == ("not comparable", ("1 problems could not be scored",))


def test_it_is_told_to_a_person_and_to_a_program() -> None:
    found = compared(PUBLISHED, result(92), temperature=0.0, samples=1, quantised=4)
    assert found.to_text().splitlines() == [
        "within the interval: M is published with 61.6%, here 56.1% (-5.5)",
        "  somebody 2024; EvalPlus, greedy; read 2026-11-28",
        "  unlike there: weights of 4 bits, there 16",
    ]
    said = found.to_json()
    assert (said["name"], said["pass@1"], said["verdict"]) == ("m", 0.616, "within the interval")
    assert said["difference"] == pytest.approx(92 / 164 - 0.616, abs=1e-6)


def test_nothing_published_on_a_benchmark_is_an_error_that_names_what_there_is() -> None:
    with pytest.raises(UsageError, match="no published score on 'composed' is known") as caught:
        verdict(result(1, benchmark="composed"))
    assert "it has humaneval, mbpp" in str(caught.value)


def test_every_reference_is_on_benchmarks_that_can_be_asked_by_name() -> None:
    for one in known().values():
        assert set(one.scores) <= set(names.BENCHMARKS), one.name
        assert set(one.remarks) <= set(one.scores), one.name
        assert set(one.models) <= set(known_models()), one.name
        assert all(0 < score < 100 for score in one.scores.values())


def test_a_reference_goes_by_its_name_or_by_its_models() -> None:
    assert reference("qwen2.5-coder-0.5b") is reference("qwen2.5-coder-0.5b-instruct")
    with pytest.raises(UsageError, match="--reference 'phi1' is not known") as caught:
        reference("phi1")
    assert "did you mean 'phi-1'?" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "bits"),
    [("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 4), ("M-Q8_0.gguf", 8), ("model", 0), ("q4_k_m", 0), ("f16.gguf", 0)],
)
def test_the_bits_of_a_files_weights(file: str, bits: int) -> None:
    assert quantised_bits(file) == bits
