"""Settings that every test shares."""

import keyword
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from pipeline.execution import let_waiting_threads_sleep

if TYPE_CHECKING:
    from pipeline.sandbox import Sandbox

os.environ.setdefault("HF_HUB_OFFLINE", "1")
let_waiting_threads_sleep()
# A shell's background job is started with Ctrl-C ignored, and so would be all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "hornbook",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],  # of the machine, not of the test
)
settings.load_profile("hornbook")


LONG = (
    "end_to_end/test_walk.py",
    "end_to_end/test_several_processes.py",
    "end_to_end/test_value_walk.py",
    "cli/test_hostile_calls.py",
)
"""The files that take longest. They come first: one that was begun last would leave the other cores idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which `--dist loadfile` hands out files, where `--no-loadscope-reorder` keeps it."""
    tests = Path(__file__).parent
    places = {tests / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on, or writes to, the developer's own data folder."""
    monkeypatch.delenv("HORNBOOK_DATA", raising=False)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder of random weights and 64 positions, as `save_pretrained` writes it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "bert"
    torch.manual_seed(0)
    words = [
        "[PAD]",
        "[UNK]",
        *keyword.kwlist,
        *"\"#()[]{}:=.,'",
        '"""',
        "self",
        "x",
        "loop",
        "sort",
        "list",
        "int",
        "str",
    ]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sandbox() -> Iterator["Sandbox"]:
    """A sandbox with two CPU seconds a program; weak where this machine has no strong one."""
    from pipeline.core.errors import SandboxUnavailable
    from pipeline.sandbox import Limits, Sandbox

    limits = Limits(cpu_seconds=2.0)
    try:
        opened = Sandbox(limits).__enter__()
    except SandboxUnavailable:
        opened = Sandbox(limits, mode="weak").__enter__()
    yield opened
    opened.close()
