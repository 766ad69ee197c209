"""llama.cpp as the local engine: what it is asked and what is made of its answers, with a stand-in and with itself."""

import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from asking import execution, prompt

from pipeline import teacher
from pipeline.core.errors import MissingExtra, RecipeError, TeacherError
from pipeline.core.records import Completion
from pipeline.core.stage import Dropped, Kept
from pipeline.models import rates, sizes
from pipeline.recipe_teachers import LocalTable
from pipeline.stages.completions.stage import Complete
from pipeline.teacher import generating
from pipeline.teacher import local_model as local
from pipeline.teacher.generating import GenerateWorker


class Stand:
    """In place of the xllamacpp module: records its settings and requests, answers by a script."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.broken = False

    def params(self) -> Any:
        return SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())

    def server(self, settings: Any) -> "Stand":
        if self.broken:
            raise RuntimeError("no tensor data")
        self.settings = settings
        return self

    def handle_chat_completions(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.requests.append(request)
        asked = request["messages"][-1]["content"]
        if asked == "too long":
            return {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "x"}}
        finish = "length" if asked == "cut" else "stop"
        message = {"role": "assistant", "content": f"answer to {asked}"}
        usage = {"prompt_tokens": 7, "completion_tokens": 5}
        return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    found = Stand()
    module = ModuleType("xllamacpp")
    module.CommonParams = found.params  # type: ignore[attr-defined]
    module.Server = found.server  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def ask(
    texts: list[str], journal: Path, model: str, **settings: Any
) -> tuple[dict[str, Completion], dict[str, Dropped]]:
    """Completions and drops by the text asked."""
    run = execution(threads=2, batch=3)
    table = LocalTable(**{"name": "mock", "engine": "llama.cpp", "model": model, "max_tokens": 40, **settings})
    asked = [prompt(number, text) for number, text in enumerate(texts)]
    named = {one.id: one.messages[-1].content for one in asked}
    kept, dropped = {}, {}
    for outcome in Complete({"mock": teacher.build(table, run, 3)}, journal, run)(asked):
        if isinstance(outcome, Kept):
            kept[named[outcome.record.prompt_id]] = outcome.record
        else:
            dropped[named[outcome.record.id]] = outcome
    return kept, dropped


def test_the_server_gets_the_settings_and_each_question_once(stand: Stand, model: Path, tmp_path: Path) -> None:
    texts = [f"q{n}" for n in range(30)]
    sampling = {"temperature": 0.5, "top_p": 0.9, "stop": ("END",), "extra_body": {"min_p": 0.1}}
    kept, dropped = ask(texts, tmp_path / "j", str(model), **sampling)
    assert not dropped
    assert {text: one.text for text, one in kept.items()} == {text: f"answer to {text}" for text in texts}
    assert {(one.prompt_tokens, one.completion_tokens, one.finish_reason) for one in kept.values()} == {(7, 5, "stop")}
    assert (stand.settings.model.path, stand.settings.n_parallel) == (str(model), 3)
    assert stand.settings.n_ctx == 3 * (2048 + 40)
    assert stand.settings.cpuparams.n_threads == stand.settings.cpuparams_batch.n_threads == 2
    assert {request["messages"][-1]["content"] for request in stand.requests} == set(texts)
    for request in stand.requests:
        given = {key: request[key] for key in ("max_tokens", "temperature", "top_p", "stop", "min_p")}
        assert given == {"max_tokens": 40, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "min_p": 0.1}
    assert len({request["seed"] for request in stand.requests}) == 30
    again, _ = ask(texts, tmp_path / "j", str(model), **sampling)
    assert again == kept
    assert len(stand.requests) == 30


def test_its_errors_and_cut_answers_are_drops_with_a_reason(stand: Stand, model: Path, tmp_path: Path) -> None:
    kept, dropped = ask(["fine", "cut", "too long"], tmp_path / "j", str(model))
    assert set(kept) == {"fine"}
    assert (dropped["cut"].reason, dropped["cut"].detail) == ("truncated", "5 tokens reached max_tokens = 40")
    assert dropped["too long"].reason == "failed"
    assert "context size" in dropped["too long"].detail


def test_a_file_that_llama_cpp_cannot_load_is_named(stand: Stand, model: Path, tmp_path: Path) -> None:
    stand.broken = True
    with pytest.raises(TeacherError, match=r"llama.cpp cannot load .*model.gguf: no tensor data"):
        ask(["q"], tmp_path / "j", str(model))


def test_without_the_wheel_the_error_says_what_to_install(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtra, match="llama.cpp is not installed") as caught:
        ask(["q"], tmp_path / "j", str(model))
    assert "hornbook[llamacpp]" in str(caught.value)


def test_large_gguf_files_go_to_llama_cpp_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = tmp_path / "small.gguf", tmp_path / "large.gguf"
    small.write_bytes(b"GGUF")
    with large.open("wb") as file:
        file.truncate(local.LARGE_BYTES)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "xllamacpp" else None)
    monkeypatch.setattr(local, "native_bf16", lambda: True)
    assert local.choose_engine(str(large), "cpu") == local.choose_engine("qwen2.5-coder-0.5b", "cpu") == "transformers"
    monkeypatch.setattr(local, "native_bf16", lambda: False)
    assert local.choose_engine(str(large), "cpu") == local.choose_engine("qwen2.5-coder-0.5b", "cpu") == "llama.cpp"
    assert local.choose_engine(str(small), "cpu") == "transformers"
    assert local.choose_engine("smollm2", "cpu") == "transformers"
    assert local.choose_engine(str(large), "cuda") == "transformers"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert local.choose_engine(str(large), "cpu") == "transformers"


@pytest.mark.parametrize(
    ("limits", "free"),
    [
        ({}, 8 << 20),
        ({"memory.max": "max", "memory.current": "9"}, 8 << 20),
        ({"memory.max": "5000000", "memory.current": "1000000"}, 4_000_000),
        ({"memory.max": "5", "memory.current": "9"}, 0),
        ({"memory/memory.limit_in_bytes": "5000000", "memory/memory.usage_in_bytes": "1"}, 4_999_999),
        ({"memory/memory.limit_in_bytes": str(1 << 62), "memory/memory.usage_in_bytes": "1"}, 8 << 20),
    ],
)
def test_memory_that_is_left_is_that_of_the_machine_or_of_its_group(
    tmp_path: Path, limits: dict[str, str], free: int
) -> None:
    assert local.available_memory(tmp_path) == 0
    files = {"proc/meminfo": "MemTotal: 99 kB\nMemAvailable:   8192 kB\n"}
    for name, text in (files | {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert local.available_memory(tmp_path) == free


def test_fp32_is_generated_with_where_it_is_faster_and_has_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = GenerateWorker(Mock(model="qwen2.5-coder-0.5b", cache=tmp_path))
    monkeypatch.setattr(sizes, "size_of", lambda spec, models: sizes.Size(10**9, 1, 1, 1))
    for faster, room, due in ((True, 13 << 30, True), (True, 11 << 30, False), (False, 13 << 30, False)):
        monkeypatch.setattr(rates, "fp32_generates_faster", lambda faster=faster: faster)
        monkeypatch.setattr(generating, "available_memory", lambda room=room: room)
        assert worker._affords_fp32() is due
    monkeypatch.setattr(sizes, "size_of", lambda spec, models: None)
    assert not worker._affords_fp32()


@pytest.mark.parametrize(
    ("large", "native", "gpu", "integers", "fp32", "due"),
    [
        (True, True, False, True, True, "int8"),
        (True, True, False, False, True, "auto"),
        (True, True, False, False, False, "bf16"),
        (False, True, False, True, False, "auto"),
        (True, False, False, True, False, "auto"),
        (True, True, True, True, False, "auto"),
    ],
)
def test_a_large_model_is_written_with_in_the_fastest_arithmetic(
    monkeypatch: pytest.MonkeyPatch, large: bool, native: bool, gpu: bool, integers: bool, fp32: bool, due: str
) -> None:
    worker = GenerateWorker(Mock())
    worker._large = large
    monkeypatch.setattr(generating, "native_bf16", lambda: native)
    monkeypatch.setattr(generating, "has_gpu", lambda device: gpu)
    monkeypatch.setattr(rates, "integers_generate_faster", lambda: integers)
    monkeypatch.setattr(GenerateWorker, "_affords_fp32", lambda self: fp32)
    assert worker._arithmetic() == due


def test_llama_cpp_is_not_asked_to_read_a_folder(tmp_path: Path) -> None:
    table = LocalTable(name="mock", engine="llama.cpp", model=str(tmp_path))
    with pytest.raises(RecipeError, match=r'engine = "llama.cpp" reads GGUF files, got model = ') as caught:
        teacher.build(table, execution(), 0)
    assert 'set engine = "transformers"' in str(caught.value)


@pytest.mark.slow
def test_the_embedded_model_answers_through_llama_cpp(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the llama.cpp wheel is an extra")
    kept, dropped = ask(["Say hello.", "Name a colour."], tmp_path / "j", "smollm2", max_tokens=12, temperature=0.0)
    assert len(kept) + len(dropped) == 2
    assert {drop.reason for drop in dropped.values()} <= {"truncated"}
    words = [one.text for one in kept.values()] + [drop.detail for drop in dropped.values()]
    assert all(words)
    assert all(one.prompt_tokens > 8 and 0 < one.completion_tokens < 12 for one in kept.values())


@pytest.mark.parametrize(
    "body",
    [
        {"error": "x"},
        {"error": {"code": "400", "message": ["\ud800"]}},
        {"error": {"code": True}},
        {"error": None},
        {},
        {"choices": None},
        {"choices": [{"message": {"content": "\ud800"}, "finish_reason": 7}], "usage": {"prompt_tokens": True}},
        {"choices": [{"message": {"content": ["a", {"text": None}]}}], "usage": [1]},
        {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
    ],
    ids=str,
)
def test_whatever_the_engine_says_is_stored_or_dropped(
    stand: Stand, model: Path, tmp_path: Path, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand, "handle_chat_completions", lambda request: body)
    kept, dropped = ask(["one", "two"], tmp_path / "journal", str(model))
    assert len(kept) + len(dropped) == 2
    for text in [*(one.text for one in kept.values()), *(one.detail for one in dropped.values())]:
        text.encode()
