"""The answer in what a model wrote: reasoning in all the forms that models give it, and markers of chats."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.fences import code_blocks
from pipeline.languages.normalise import normalised
from pipeline.languages.reasoning import answer_of

DRAFT = "First try:\n```python\ndef f(x):\n    return 0\n```\nNo, better:"
CODE = "```python\ndef f(x):\n    return x\n```"

ENDED = [
    "<think>\n{draft}\n</think>\n\n{code}",
    "Sure, I will help.\n\n<think>\n{draft}\n</think>\n\n{code}",
    "{draft}\n</think>\n\n{code}",
    "{draft}</think>{code}",
    "<think>\n</think>\n\n{code}",
    "<thinking>{draft}</thinking>\n{code}",
    "<THINK>{draft}</THINK>\n{code}",
    "<Thought>\n{draft}\n</Thought>\n<Output>\n{code}\n</Output>",
    "<reasoning>\n{draft}\n</reasoning>\n<answer>\n{code}\n</answer>",
    "<seed:think>{draft}<seed:cot_budget_reflect>used 10</seed:cot_budget_reflect></seed:think>{code}",
    '<think budget="low">{draft}</think>\n{code}',
    "<mm:think>{draft}</mm:think>{code}",
    "<longcat_think>{draft}</longcat_think>\n{code}",
    "[THINK]{draft}[/THINK]{code}",
    "◁think▷{draft}◁/think▷{code}",
    "<|START_THINKING|>{draft}<|END_THINKING|><|START_RESPONSE|>{code}<|END_RESPONSE|>",
    "<|begin_of_thought|>\n{draft}\n<|end_of_thought|>\n\n<|begin_of_solution|>\n{code}\n<|end_of_solution|>",
    "<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>{code}<|return|>",
    "<|start|>assistant<|channel|>analysis<|message|>{draft}<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>{draft}<|end|>"
    "<|start|>assistant<|channel|>final<|message|>{code}",
    "<|channel|>analysis<|message|>{draft}<|end|>\n{code}<|return|>",
    "analysisWe need f. {draft}assistantfinal{code}",
    "<|channel>thought\n{draft}<channel|>{code}<turn|>",
    "<unused94>thought\n{draft}<unused95>{code}",
    "<|inner_prefix|>{draft}<|inner_suffix|>{code}<|assistant_end|>",
    "<|im_start|>think\n{draft}\n<|im_start|>answer\n{code}",
    "Here is my thought process:\n{draft}\n\nHere is my response:\n{code}",
    "<think>{draft}</think>\n<think>\n{draft}\n</think>\n{code}",
    "<think>{draft}</think>\nWait.\n{code}\n<think>Is it right? Yes.</think>\n",
    "<think>Nested: <think>{draft}</think> goes on.</think>{code}",
    "<think>{draft}</thinking>\n{code}",
    "<thinking>{draft}\n<reflection>hm</reflection>\nmore</thinking>\n{code}",
    "<think>It says </THINK>\n\n{code}",
    "<think>\nOpen fence:\n```python\ndef f(x):\n    return 0\n\nOops.\n</think>\n\n{code}",
    "<think>\nOpen fence:\n```\nx = 'it\n</think>\n\n{code}\n",
    "{code}\n\n<think>\nIs that right? {draft}",
    "{code}\n<thinking>",
    "<think>{draft}</think>\n\n{code}\n</think>",
    '<details type="reasoning" done="true">\n<summary>Thought</summary>\n{draft}\n</details>\n{code}',
    "<think>{code}</think>{code}",
    "[THINK]{code}[/THINK]{code}</s>",
    "<|channel|>analysis<|message|>{code}<|end|><|start|>assistant<|channel|>final<|message|>{code}\n",
    "<|channel|>analysis<|message|>\n```python\nopen<|end|><|start|>assistant<|channel|>final<|message|>{code}\n",
    "<|channel|>analysis<|message|>```python\nx = 1\n<|end|><|start|>assistant<|channel|>final<|message|>\n{code}\n",
    "<|thinking_start|>{draft}<|thinking_end|>{code}",
    "<start_of_thought>{draft}<end_of_thought>{code}",
]


@pytest.mark.parametrize("form", ENDED)
def test_the_answer_is_what_is_not_reasoning(form: str) -> None:
    answer = answer_of(form.format(draft=DRAFT, code=CODE))
    assert [block.code for block in code_blocks(answer.text)] == ["def f(x):\n    return x\n"], answer.text
    assert "think" not in answer.text.lower()
    assert "return 0" not in answer.text
    assert "<|" not in answer.text


@pytest.mark.parametrize("opening", ["<think>", "<THINKING>", "[THINK]", "<|channel|>analysis<|message|>", "◁think▷"])
def test_reasoning_without_an_end_leaves_what_stood_before(opening: str) -> None:
    assert answer_of(f"{opening}\n{DRAFT}").text.strip() == ""
    assert answer_of(f"{opening}\n{DRAFT}").unfinished
    assert answer_of(f"Sure.\n\n{opening}\n{DRAFT}").text.strip() == "Sure."


@pytest.mark.parametrize(
    "text",
    [
        '```python\nimport re\ntext = re.sub(r"<think>.*?</think>", "", text)\n```\n',
        '```python\nanswer = text.split("</think>")[-1]\n```\n',
        "```python\nT = '''\n<think>\nhm\n</think>\n2\n'''\n```\nProse.\n",
        "```text\n<think>\nhm\n</think>\n2\n```\n",
        "```text\nhm\n</think>\n2\n```\nIt answers.\n\n```python\nx = 1\n```\n",
        "```jinja\n{{ '</think>' }}<|im_end|>\n```\n",
        "The tag `<think>` opens and `</think>` ends the reasoning.\n",
        'It ends with "</think>" or with "<|im_end|>", always.\n',
        "```python\nEND = '<|im_end|>'\ntext = '</s>'\n```\nMore.\n",
        "def clean(text):\n    return text.replace('<think>', '').replace('</think>', '')\n",
        "In `[THINK]` and `<|channel|>analysis<|message|>` models think.\n",
        "Use `a[think]` here, a < b and <b>bold</b>.\n",
        "<s>Old</s> text and x <| y |> z.\n",
        "```html\n<thinking>\n```\n",
        "Call it with a <reasoning> and an <analysis>, then:\n\n```python\nx = 1\n```\n",
        "<think/>\n",
    ],
)
def test_text_about_reasoning_stays_as_it_is(text: str) -> None:
    assert answer_of(text) == (text, False)


@pytest.mark.parametrize(
    "marker",
    ["<|im_end|>", "</s>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "<|return|>", "<|end_of_text|>",
     "<eos>", "<|eom_id|>", "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>", "<turn|>", "[EOS]", "<|im_end|>\n</s>"],
)  # fmt: skip
def test_chat_markers_at_the_end_go(marker: str) -> None:
    for text in (f"{CODE}\n{marker}", f"{CODE}{marker}\n", f"Prose.\n\n{CODE}\n\n{marker}\n\n"):
        blocks = code_blocks(normalised(text))
        assert [(block.code, block.closed) for block in blocks] == [("def f(x):\n    return x\n", True)]
        assert marker.strip() not in normalised(text)
    assert normalised(f"    return x{marker}") == "    return x"
    assert normalised(f"```python\nreturn x\n{marker}\n") == "```python\nreturn x\n"


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>assistant\n{code}<|im_end|>\n<|im_start|>user\nAnd now?\n```python\nx\n```",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{code}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nx",
        "<start_of_turn>model\n{code}<end_of_turn>\n<start_of_turn>user\nMore\n",
        "<s>{code}</s><s>[INST] next [/INST]",
        "<|assistant|>\n{code}\n<|user|>\nThanks\n",
    ],
)
def test_another_turn_is_no_part_of_the_answer(text: str) -> None:
    assert normalised(text.format(code=CODE)).strip() == CODE


def test_a_body_keeps_its_indent() -> None:
    assert normalised("<think>hm</think>\n\n    return x\n") == "    return x\n"


words = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>", "analysis", "<|message|>", "<|end|>", "</s>",
         "```", "```python", "\n", " ", '"', "'", "`", "x = 1", "<answer>", "</answer>", "<|im_end|>", "assistantfinal"]
    ),
    max_size=25,
)  # fmt: skip


@given(st.one_of(words.map("".join), st.text(max_size=200)))
def test_any_text_has_an_answer_and_only_text_with_marks_changes(text: str) -> None:
    answer = answer_of(text)
    assert answer.unfinished is False or "analysis" in text or "<" in text or "[" in text
    if not set("<[◁") & set(text) and "analysis" not in text:
        assert answer.text == text


@pytest.mark.parametrize(
    "unit",
    ["<think>", "</think>", "<think></think>", "<think>\n```\n", "</think>\n```python\n", "[/THINK]'\"", "<|im_end|>",
     "<|channel|>final<|message|>", "<thinking></think>", '"<think>" ', "`</think>`", "<answer>", "</s> ", "analysisx"],
)  # fmt: skip
def test_long_garbage_takes_time_in_proportion(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    start = time.process_time()
    answer_of("x y " + text + " x")
    assert time.process_time() - start < 60  # in proportion to the square it would be hours
