import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.recipe_text import load
from pipeline.walk import names as walk_names
from pipeline.walk import plan


def keys(*overrides, digests=None):
    return {s.name: s.key for s in plan(load("tiny", overrides).recipe, digests or {}).stages}


def changed(*overrides, digests=None):
    before, after = keys(), keys(*overrides, digests=digests)
    return [name for name in after if after[name] != before.get(name)]


def test_the_same_recipe_has_the_same_keys():
    assert keys() == keys()
    assert len(set(keys().values())) == len(keys())


def test_stages_come_in_the_order_of_the_walk_after_their_inputs():
    stages = plan(load("tiny").recipe, {}).stages
    names = [stage.name for stage in stages]
    assert names == [name for name in walk_names() if name in names]
    for stage in stages:
        assert all(names.index(source) < names.index(stage.name) for source in stage.inputs)


CORPUS = ["documents", "validated", "distinct", "quality", "decontaminated"]
STUDENT = ["tokens", "student", "samples-after", "scores"]


def test_a_key_changes_if_and_only_if_something_it_depends_on_does():
    assert changed("student.phases.0.lr=0.5") == ["student", "samples-after", "scores"]
    assert changed("evaluation.max_new_tokens=33") == ["samples-after", "scores"]
    assert changed("quality.min_characters=41") == ["quality", "decontaminated", *STUDENT]
    assert changed("seeds.exercises=25") == ["seeds", "prompts", "completions", *CORPUS, *STUDENT]
    assert changed(digests={"prompts": "other templates"}) == ["prompts", "completions", *CORPUS, *STUDENT]
    assert changed("name='other'") == []
    assert changed("student.held_out=0.3") == STUDENT
    assert changed("evaluation.splits=false") == ["scores"]
    assert changed("seed=2") == list(keys())  # through what they are made from, all have drawn with it


SCORED = ("cpu_seconds=9.0", "memory_mb=99", "packages=['numpy']", "splits=false")


@pytest.mark.parametrize("setting", SCORED)
def test_how_answers_are_judged_asks_for_none_anew(setting):
    assert changed(f"evaluation.{setting}") == ["scores"]


def test_settings_of_soft_targets_are_in_no_key_where_no_teacher_gives_any():
    assert changed("soft_targets.alpha=0.9", "soft_targets.top_k=3") == []


@pytest.mark.parametrize("stage", ["seeds", "tokens", "student", "samples-after", "quality"])
def test_a_stage_that_draws_has_the_seed_in_its_own_settings(stage):
    one, other = (plan(load("tiny", [f"seed={seed}"]).recipe, {})[stage].settings for seed in (1, 2))
    assert one != other


def test_what_teachers_are_asked_is_there_where_there_is_either_kind():
    asked = {"seeds", "prompts", "completions", "documents"}
    assert asked <= keys("seeds.textbooks=0").keys()
    assert asked <= keys("seeds.exercises=0").keys()
    none = keys("seeds.textbooks=0", "seeds.exercises=0", "sources.kind=stdlib").keys()
    assert not asked & none
    assert "validated" in none


def test_a_walk_is_only_of_the_stages_that_a_recipe_wants():
    pretrained = ("student.init=m", "tokens.tokenizer=student")
    assert "samples-before" not in keys(*pretrained, "evaluation.before=false")
    assert "samples-before" not in keys(*pretrained, "evaluation.benchmarks=[]")
    assert plan(load("tiny", ["evaluation.splits=false"]).recipe, {})["scores"].inputs.keys() == {"samples-after"}
    assert plan(load("tiny").recipe, {})["scores"].inputs.keys() == {"samples-after", "decontaminated"}


def test_two_stages_of_the_same_settings_have_keys_of_their_own():
    whole = plan(load("tiny", ["student.init=m", "tokens.tokenizer=student"]).recipe, {})
    assert len({stage.key for stage in whole.stages}) == len(whole.stages)


@given(
    st.sampled_from(
        ["workers=5", "engine=ray", "concurrency=3", "budget_usd=1.0", "device=cuda", "sandbox=weak", "compile=on"]
    )
)
def test_execution_settings_never_enter_a_key(setting):
    assert changed(f"execution.{setting}") == []


def test_stages_follow_from_the_recipe():
    assert "raw-code" not in keys()
    assert "raw-code" in keys("sources.kind=stdlib")
    assert "samples-before" not in keys()
    assert "samples-before" in keys("student.init=smollm2")
    assert "soft-targets" in keys("soft_targets.teacher=x")
    assert "scores" not in keys("evaluation.benchmarks=[]")


def test_until_an_unknown_stage_names_the_known_ones():
    whole = plan(load("tiny").recipe, {})
    assert [s.name for s in whole.until("prompts").stages] == ["seeds", "prompts"]
    with pytest.raises(UsageError, match="--until = 'promts': this recipe has no such stage") as caught:
        whole.until("promts")
    assert "did you mean 'prompts'? its stages are seeds, prompts, completions" in str(caught.value)


def test_how_soft_targets_are_used_does_not_make_them_anew():
    cached = keys("soft_targets.teacher=x")
    other = keys("soft_targets.teacher=x", "soft_targets.alpha=0.9", "soft_targets.divergence=reverse-kl")
    assert other["soft-targets"] == cached["soft-targets"]
    assert other["student"] != cached["student"]
    assert keys("soft_targets.teacher=x", "soft_targets.top_k=8")["soft-targets"] != cached["soft-targets"]


def test_a_teacher_in_the_loop_has_no_stage_and_is_in_the_students_key():
    online = keys("soft_targets.teacher=x", "soft_targets.mode=online")
    assert "soft-targets" not in online
    assert online["student"] not in (keys()["student"], keys("soft_targets.teacher=x")["student"])
    other = keys("soft_targets.teacher=x", "soft_targets.mode=online", digests={"student": "other weights"})
    assert other["student"] != online["student"]


def test_a_student_of_some_layers_has_no_score_from_before():
    assert "samples-before" in keys("student.init=m", "tokens.tokenizer=student")
    assert "samples-before" not in keys("student.init=m", "student.layers=[0, 2]", "tokens.tokenizer=student")
