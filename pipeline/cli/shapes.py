"""What programs may rely on: the keys of each verb's `--json`. They stay; more may be added.

A shape is a type (`str`, `int`, `float`, `bool`), a word that is said as it stands, None, a list of one shape, or a
mapping by key; a key in angle brackets stands for any. A tuple gives several of which one holds; `ANY` is whatever JSON
can say.
"""

import json
from collections.abc import Mapping
from typing import Any

Shape = Any
ANY = object()

_PART = {"problems": int, "pass@1": (float, None), "interval": ([float], None)}
_COST = {"usd": float, "teacher_tokens": float, "cpu_hours": float, "gpu_hours": float}
_STAGE = {
    "name": str,
    "key": str,
    "state": str,
    "in": int,
    "kept": int,
    "dropped": {"<reason>": int},
    "seconds": float,
}
_PLANNED = {"name": str, "key": str, "state": ("stored", "to-make")}
_SHARED = _PLANNED | {"state": ("stored", "to-make", "shared")}
_REPORT = {
    "run": str,
    "recipe": str,
    "state": str,
    "funnel": [_STAGE],
    "scores": [{"benchmark": str, "model": str, **_PART}],
    "teachers": [{"name": str, "kind": str, "completions": int, "kept": int, "tokens": int, "usd": float}],
    "seconds": float,
}
_SCORED = {
    "benchmark": str,
    "data_digest": str,
    **_PART,
    "scored": int,
    "pass@k": {"<k>": float},
    "results": [{"task_id": str, "passed": (bool, None), "verdict": str, "detail": str}],
}
_PAIR = {
    "first": str,
    "second": str,
    "benchmark": str,
    "difference": float,
    "interval": [float],
    "p": float,
    "claim": ("rise", "fall", "none"),
}
_EXPERIMENT = {
    "sweep": str,
    "recipe": str,
    "state": str,
    "arms": [
        {
            "arm": str,
            "seeds": [int],
            "runs": [str],
            "failed": [{"run": str, "seed": int, "stage": str, "message": str}],
            "tokens": (int, None),
            "documents": (int, None),
            "scores": [{"benchmark": str, "seeds": int, **_PART}],
            "cost": _COST,
        }
    ],
    "pairs": [_PAIR],
    "cost": _COST,
}  # fmt: skip
_SWEPT = (
    _EXPERIMENT,
    {
        "sweep": str,
        "recipe": str,
        "seeds": [int],
        "arms": [{"arm": str, "runs": [{"run": str, "seed": int, "stages": [_SHARED]}]}],
        "total": {"runs": int, "stages_to_make": int, "requests": int, "tokens": int, "usd": (float, None),
                  "training_tokens": int, "flops": float, "gpu_hours": float},
    },
)  # fmt: skip
_RUNS = {
    "runs": [
        {
            "name": str,
            "recipe": str,
            "state": str,
            "finished": int,
            "stages": int,
            "score": ({"benchmark": str, "model": str, **_PART}, None),
            "called": str,
            "bytes": int,
        }
    ]
}
_MODELS = {"models": [{"name": str, "title": str, "licence": str, "bytes": int, "path": str, "place": str}]}
_STEP = {"what": str, "id": str, "stage": str, "key": str, "note": str, "text": str, "facts": ANY, "next": [ANY]}
_COLLECTED = {"stage": str, "key": str, "kind": ("artifact", "unfinished", "partial"), "bytes": int, "path": str}

FAILURE: Shape = {
    "error": {"code": int, "kind": str, "message": str, "hint": str, "stage": str, "run": str},
}
"""What stdout carries where a command fails; a command that has a result as well has it beside "error"."""

SHAPES: Mapping[str, Shape] = {
    "run": _REPORT,
    "plan": {
        "stages": [_PLANNED],
        "teacher": {"requests": int, "tokens": int, "usd": (float, None)},
        "student": {
            "parameters": int,
            "training_tokens": int,
            "flops": float,
            "gpu_hours": float,
            "memory_bytes": int,
        },
    },
    "status": {"run": str, "state": str, "stages": [_STAGE]},
    "show": {
        "run": str,
        "stage": str,
        "records": [
            {"id": str, "type": str, "reason": str, "detail": str, "teacher": str, "text": str, "record": ANY},
        ],
    },
    "trace": {"run": str, "identifier": str, "here": _STEP, "back": [_STEP], "forward": [_STEP]},
    "diff": {
        "a": str,
        "b": str,
        "recipe": [{"key": str, "a": ANY, "b": ANY}],
        "stages": [{"name": str, "same": bool, "a": (_STAGE, None), "b": (_STAGE, None)}],
        "scores": [{"benchmark": str, "model": str, "a": ANY, "b": ANY, "comparison": ANY}],
    },
    "report": _REPORT,
    "adopt": _REPORT,
    "join": {"joined": str},
    "view": ({"url": str, "data": str}, {"folder": str, "runs": [str], "records": int, "bytes": int}),
    "export": {
        "run": str,
        "stage": str,
        "key": str,
        "format": str,
        "to": str,
        "splits": {"<split>": int},
        "dropped": int,
        "model": bool,
        "conflicts": {"<what>": [str]},
        "files": int,
        "bytes": int,
        "unchanged": bool,
    },
    "chat": {
        "run": str,
        "model": str,
        "form": ("chat", "raw"),
        "turns": [{"said": str, "answers": {"<speaker>": {"text": str, "finish_reason": str, "tokens": int}}}],
    },
    "score": _SCORED,
    "evaluate": _SCORED,
    "embed": {"in": int, "kept": int, "dropped": [{"source": str, "detail": str}], "out": str},
    "bench teacher": {
        "recipe": str,
        "run": str,
        "teacher": str,
        "model": str,
        "levels": [
            {
                "concurrency": int,
                "answers": int,
                "failed": int,
                "rejected": int,
                "tokens": int,
                "usd": float,
                "seconds": float,
                "tokens_per_second": float,
                "few": bool,
            }
        ],
        "best": int,
        "tokens_per_second": float,
        "answers": int,
        "usd": float,
        "left": {"requests": int, "hours": (float, None), "usd": (float, None)},
    },
    "sweep": (*_SWEPT, {"<experiment>": str}),
    "ladder": _SWEPT,
    "improve": {
        "run": str,
        "rounds": [
            {
                "round": int,
                "clusters": [{"branch": str, "problems": int, "failed": float, "errors": {"<error>": float}}],
                "weights": {"<branch>": float},
                "evolutions": {"<evolution>": float},
                "seeds": {"<kind>": int},
                "before": _PART,
                "after": _PART,
                "gain": _PAIR,
                "against_undirected": (_PAIR, None),
            }
        ],
        "stopped": str,
        "experiment": _EXPERIMENT,
        "page": str,
    },
    "settings": {
        "settings": [
            {"key": str, "type": str, "default": ANY, "required": bool, "meaning": str, "choices": [ANY], "when": str}
        ]
    },
    "reasons": {"<stage>": {"<reason>": str}},
    "clean": {"in": int, "kept": int, "dropped": {"<reason>": int}, "out": str},
    "doctor": {
        "hornbook": str,
        "python": str,
        "machine": {"system": str, "cores": int, "memory_bytes": int},
        "torch": {"version": str, "device": str},
        "sandbox": [{"name": str, "available": bool, "detail": str}],
        "data": {"folder": str, "chosen": str, "writable": bool, "detail": str},
        "environment": [{"name": str, "value": (str, None), "meaning": str}],
        "extras": {"<extra>": bool},
        "ready": bool,
    },
    "agent": {
        "hornbook": str,
        "verbs": [{"verb": str, "usage": str, "meaning": str, "parts": {"<part>": str}, "json": (str, None)}],
        "failure": str,
        "exit_codes": [{"code": int, "kind": str, "meaning": str}],
        "stages": [{"name": str, "walk": str, "caption": str, "reasons": {"<reason>": str}}],
        "environment": {"<variable>": str},
    },
    "recipes": {"<recipe>": str},
    "domain new": {"folder": str, "name": str, "copied": str, "files": [str]},
    "domain check": {
        "domain": str,
        "folder": str,
        "counts": {"<what>": int},
        "axes": {"<axis>": int},
        "checks": int,
        "faults": [str],
        "passed": bool,
    },
    "domain preview": {
        "domain": str,
        "teacher": str,
        "tried": [{"topic": str, "prompt": str, "answer": str, "verdict": str, "detail": str, "usd": float}],
        "kept": int,
        "interval": [float],
        "usd": float,
        "seconds": float,
    },
    "models": _MODELS,
    "models ls": _MODELS,
    "models get": {"name": str, "path": str, "bytes": int},
    "models rm": {"name": str, "freed_bytes": int},
    "runs": _RUNS,
    "runs ls": _RUNS,
    "runs rm": {"removed": [str], "found": [str], "dry": bool},
    "runs compare": _EXPERIMENT,
    "store gc": {
        "dry": bool,
        "found": [_COLLECTED],
        "bytes": int,
        "paid": [_COLLECTED],
        "paid_usd": float,
        "in_use": [_COLLECTED],
    },
}
"""By verb, as "status" and "store gc"."""

_NAMES = {str: "text", int: "whole", float: "number", bool: "true|false"}


def written(shape: Shape) -> str:
    """A shape as one line: types by name, anything else as in JSON."""
    if isinstance(shape, tuple):
        return "|".join(map(written, shape))
    if isinstance(shape, list):
        return f"[{written(shape[0])}]"
    if isinstance(shape, Mapping):
        inside = (f"{key if key.startswith('<') else json.dumps(key)}: {written(one)}" for key, one in shape.items())
        return "{" + ", ".join(inside) + "}"
    if shape is ANY:
        return "any"
    return _NAMES[shape] if isinstance(shape, type) else json.dumps(shape)
