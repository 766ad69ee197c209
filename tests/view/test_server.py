"""The server lets in who was let in, says only what it was asked, and takes no text for markup."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from example_run import Example
from starlette.testclient import TestClient
from visiting import BASE, PORT

from pipeline.store.places import Places
from pipeline.store.store import Store
from pipeline.view.server import Door, app, page_files


def told(client: TestClient, path: str, **given: Any) -> Any:
    answer = client.get(f"/api/{path}", params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_token_is_good_for_one_visit_and_a_cookie_for_all_that_follow(outside: TestClient, door: Door) -> None:
    token = door.token
    assert outside.get("/api/runs").status_code == 403
    visit = outside.get("/", params={"token": token})
    assert visit.status_code == 200
    said = visit.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert outside.get("/api/runs").status_code == 200
    outside.cookies.clear()
    assert outside.get("/", params={"token": token}).status_code == 403
    assert outside.get("/", params={"token": ""}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/runs", "/api/runs/example", "/nothing"])
def test_nothing_is_shown_to_who_was_not_let_in(outside: TestClient, path: str) -> None:
    answer = outside.get(path)
    assert answer.status_code == 403
    assert (
        answer.text == "This page opens with the address that `hornbook view` prints, once. Run it again for a new one."
    )


@pytest.mark.parametrize("token", ["wrong", "é", "\u0000"])
def test_a_wrong_token_does_not_use_up_the_right_one(outside: TestClient, door: Door, token: str) -> None:
    assert outside.get("/", params={"token": token}).status_code == 403
    assert outside.get("/api/runs", params={"token": door.token}).status_code == 403
    assert outside.get("/", params={"token": door.token}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:80", "[::1]:1", ""])
def test_another_name_that_leads_here_reaches_nothing(inside: TestClient, host: str) -> None:
    assert inside.get("/api/runs", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8123", "http://127.0.0.1:9999"])
def test_another_page_reaches_nothing(inside: TestClient, origin: str) -> None:
    assert inside.get("/api/runs", headers={"origin": origin}).status_code == 403
    path = f"/api/runs/example/labels/{'a' * 24}"
    assert inside.put(path, json={"label": "bad"}, headers={"origin": origin}).status_code == 403


def test_a_label_needs_an_origin(inside: TestClient, example: Example) -> None:
    path = f"/api/runs/example/labels/{example.kept[0].id}"
    assert inside.put(path, json={"label": "bad"}).status_code == 403
    assert inside.put(path, json={"label": ""}, headers={"origin": BASE}).status_code == 200


def test_every_answer_says_what_a_page_may_do(inside: TestClient) -> None:
    for path in ("/", "/app.js", "/api/runs", "/api/runs/none", "/nothing"):
        headers = inside.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_has_no_inline_script_or_style_and_fetches_nothing_from_outside() -> None:
    files = {name: content.decode() for name, content in page_files().items()}
    html = files["index.html"]
    assert html.count("<script") == 1
    assert '<script type="module" src="app.js"></script>' in html
    assert "style=" not in html
    for name, text in files.items():
        assert "innerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name
        assert "eval(" not in text, name
        outside = text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in outside, name
        assert "https://" not in outside, name


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "%2e%2e/server.py",
        "..%2fserver.py",
        "page/../../server.py",
        "/etc/passwd",
        "app.js%00",
        "a" * 5000,
    ],
)
def test_no_path_leads_out_of_the_page(inside: TestClient, path: str) -> None:
    assert inside.get(f"/{path}").status_code == 404


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..", ".", "none", "a%00b", "%2fetc", "LATEST", "exam"])
def test_only_a_run_of_exactly_that_name_is_read(inside: TestClient, name: str) -> None:
    assert inside.get(f"/api/runs/{name}/status").status_code == 404


def test_the_list_of_runs_has_scores_and_cost(inside: TestClient) -> None:
    runs = {run["name"]: run for run in told(inside, "runs")}
    assert set(runs) == {"example", "hostile"}
    assert {score["model"] for score in runs["example"]["scores"]} == {"before", "after"}
    assert runs["example"]["cost"]["kept_documents"] > 0
    assert runs["hostile"]["scores"] is None


def test_a_run_is_its_walk_with_what_reasons_mean(inside: TestClient) -> None:
    run = told(inside, "runs/example")
    for stage in run["status"]["stages"]:
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values())
        assert set(stage["dropped"]) <= set(run["stages"][stage["name"]]["reasons"])
    assert run["lists"]["tokens"] == ["spans"]
    assert run["lists"]["distinct"] == ["kept", "dropped"]


def test_records_come_in_pages(inside: TestClient, example: Example) -> None:
    path = "runs/example/stages/documents/kept"
    pages = [told(inside, path, offset=offset, limit=20)["rows"] for offset in range(0, 80, 20)]
    ids = [row["id"] for page in pages for row in page]
    assert ids == [document.id for document in example.documents]
    assert told(inside, path, offset=10**9)["rows"] == []
    assert len(told(inside, path, limit=10**6)["rows"]) == len(ids)


def test_a_bad_number_is_said(inside: TestClient) -> None:
    answer = inside.get("/api/runs/example/stages/documents/kept", params={"offset": "-1"})
    assert answer.status_code == 404
    assert answer.json() == {"error": {"message": "offset = '-1'", "hint": "use a number from 0 on"}}


@pytest.mark.parametrize(("stage", "kind"), [("nothing", "kept"), ("distinct", "../kept"), ("distinct", "manifest")])
def test_a_list_that_is_none_is_said(inside: TestClient, stage: str, kind: str) -> None:
    assert inside.get(f"/api/runs/example/stages/{stage}/{kind}").status_code == 404


def test_records_are_searched_and_filtered(inside: TestClient, example: Example) -> None:
    path = "runs/example/stages/documents/kept"
    found = told(inside, path, q="KEEP THE VALUES")
    assert 0 < found["matched"] < found["total"]
    assert all("Keep the values" in row["prompt"] for row in found["rows"])
    both = told(inside, path, q="keep the values", teacher="smollm2")
    assert [r["id"] for r in both["rows"]] == [r["id"] for r in found["rows"] if r["teacher"] == "smollm2"]
    assert told(inside, path, topic="lists")["matched"] == sum(d.topic.startswith("lists/") for d in example.documents)
    assert told(inside, path, q=example.documents[7].id[:10])["rows"][0]["id"] == example.documents[7].id
    assert told(inside, path, q=".*")["matched"] == 0, "what is searched is no pattern"
    dropped = told(inside, "runs/example/stages/distinct/dropped", reason="near-duplicate")
    assert dropped["matched"] == len(example.drops["distinct"])
    failed = told(inside, "runs/example/stages/scores/kept", passed="false", model="after")
    assert all(row["passed"] is False and row["model"] == "after" for row in failed["rows"])


def test_what_lies_in_seeds_and_messages_is_found_too(inside: TestClient, example: Example) -> None:
    by_seed = told(inside, "runs/example/stages/prompts/kept", teacher="smollm2")
    assert by_seed["matched"] == sum(prompt.seed.teacher == "smollm2" for prompt in example.prompts)
    said = told(inside, "runs/example/stages/prompts/kept", q="for a data analyst")
    assert said["matched"] == sum(prompt.seed.audience == "a data analyst" for prompt in example.prompts)
    facets = told(inside, "runs/example/stages/prompts/kept/facets")["facets"]
    assert dict(map(tuple, facets["teacher"])) == {
        "composer": by_seed["total"] - by_seed["matched"],
        "smollm2": by_seed["matched"],
    }


def test_a_duplicate_has_the_record_kept_in_its_place_and_what_it_came_from(
    inside: TestClient, example: Example
) -> None:
    dropped = example.drops["distinct"][0]
    found = told(inside, f"runs/example/records/{dropped.record.id}")
    assert found["row"]["reason"] == "near-duplicate"
    assert found["row"]["detail"] == "0.83 >= 0.70"
    assert found["kept"]["id"] == dropped.kept_id
    assert found["completion"]["id"] == dropped.record.completion_id
    assert found["prompt"]["id"] == found["completion"]["prompt_id"]
    assert [place["stage"] for place in found["places"]] == ["documents", "validated", "distinct"]
    walk = told(inside, f"runs/example/records/{dropped.record.id}/trace")
    assert walk["back"][0]["id"] == dropped.record.completion_id


def test_a_record_that_is_none_is_said(inside: TestClient) -> None:
    answer = inside.get("/api/runs/example/records/" + "0" * 24)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"run example has no record '{'0' * 24}'"


def test_problems_have_every_change(inside: TestClient, example: Example) -> None:
    problems = told(inside, "runs/example/problems")
    assert len(problems) == len(example.problems)
    assert {"gained", "solved", "failed", "unscored"} <= {problem["change"] for problem in problems}
    numbers = [int(problem["task_id"].rpartition("/")[2]) for problem in problems]
    assert numbers == sorted(numbers)


def test_curves_have_loss_rate_and_held_out_loss(inside: TestClient) -> None:
    curves = told(inside, "runs/example/curves")
    assert len(curves["points"]) == 150
    assert all(len(point) == 3 for point in curves["points"])
    assert told(inside, "runs/hostile/curves")["held_out"][0] == [100, pytest.approx(1.0125)]


def test_a_label_is_written_beside_the_run_and_found_again(inside: TestClient, example: Example) -> None:
    record = example.kept[1].id
    path = f"/api/runs/example/labels/{record}"
    note = "half a pair: \ud800, <b>, 'ü'"
    put = inside.put(
        path, content=json.dumps({"label": "bad", "note": note, "stage": "quality"}), headers={"origin": BASE}
    )
    assert put.status_code == 200
    assert told(inside, f"runs/example/records/{record}")["label"]["label"] == "bad"
    listed = told(inside, "runs/example/stages/quality/kept", label="bad")
    assert [row["id"] for row in listed["rows"]] == [record]
    assert told(inside, "runs/example/stages/quality/kept", label="note")["matched"] == 1
    file = inside.get("/api/runs/example/labels.jsonl")
    assert "attachment" in file.headers["content-disposition"]
    (line,) = file.text.splitlines()
    assert json.loads(line)["note"] == "half a pair: \ufffd, <b>, 'ü'"
    assert inside.put(path, json={"label": ""}, headers={"origin": BASE}).json() is None
    assert told(inside, "runs/example/labels") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"label": "worse"}', 400), (b"[]", 400), (b"{", 400), (b"[" * 9000, 400), (b'"' + b"x" * 99_999, 413)],
)
def test_what_is_no_label_is_refused(inside: TestClient, example: Example, body: bytes, code: int) -> None:
    path = f"/api/runs/example/labels/{example.kept[2].id}"
    assert inside.put(path, content=body, headers={"origin": BASE}).status_code == code
    assert told(inside, "runs/example/labels") == []


@pytest.mark.parametrize("record", ["..", "x" * 24, "a" * 23, "%2e%2e%2f"])
def test_a_label_needs_a_records_id(inside: TestClient, record: str) -> None:
    answer = inside.put(f"/api/runs/example/labels/{record}", json={"label": "bad"}, headers={"origin": BASE})
    assert answer.status_code in (400, 404, 405)


NONSENSE = ["nope", "%2e%2e", "x" * 300, "%00", "%ff", "a" * 24, "example"]
_PATHS = [getattr(route, "path", "") for route in app(Places(Path(), Store("memory://none")), Door(PORT)).routes]
ROUTES = [path for path in _PATHS if "{run}" in path]


@pytest.mark.parametrize("path", ROUTES)
def test_what_there_is_not_is_told_wherever_it_is_asked_for(inside: TestClient, path: str) -> None:
    names = [part for part in path.split("/") if part.startswith("{")]
    for words in itertools.product(NONSENSE, repeat=len(names)):
        asked = path
        for name, word in zip(names, words, strict=True):
            asked = asked.replace(name, word)
        answer = inside.get(asked)
        assert answer.status_code in (200, 404, 405), f"{asked}: {answer.text}"
        if answer.status_code == 404 and answer.headers["content-type"] == "application/json":
            assert answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ROUTES)
def test_a_broken_store_is_told_wherever_it_is_asked_for(path: str, where: Places, tmp_path: Path) -> None:
    shutil.copytree(where.data, tmp_path / "data")
    for file in (tmp_path / "data" / "store").rglob("*.parquet"):
        file.write_bytes(b"PAR1")
    door = Door(PORT)
    with TestClient(
        app(Places(tmp_path / "data", Store(str(tmp_path / "data" / "store"))), door), base_url=BASE
    ) as client:
        client.get("/", params={"token": door.token})
        parts = {"run": "example", "stage": "quality", "kind": "kept", "id": "a" * 24}
        answer = client.get(path.format(**parts))
    assert answer.status_code in (200, 404, 405, 500)
    if answer.status_code == 500:
        assert "cannot be read" in answer.json()["error"]["message"]


def test_hostile_records_come_as_text_and_cut(inside: TestClient) -> None:
    for kind, stage in (("kept", "documents"), ("dropped", "validated"), ("kept", "completions")):
        answer = inside.get(f"/api/runs/hostile/stages/{stage}/{kind}", params={"limit": 500})
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.content) < 2_000_000
        for row in answer.json()["rows"]:
            found = inside.get(f"/api/runs/hostile/records/{row['id']}")
            assert found.status_code == 200
            assert len(found.content) < 3_000_000
    assert told(inside, "runs/hostile/stages/documents/kept", q="<script>")["matched"] == 4
    assert told(inside, "runs/hostile/stages/documents/kept", q="nul \0 bell")["matched"] == 4


def test_a_whole_record_is_a_file_to_download(inside: TestClient) -> None:
    (row, *_) = told(inside, "runs/hostile/stages/completions/kept", q="x = 'AAAA")["rows"]
    answer = inside.get(f"/api/runs/hostile/records/{row['id']}/whole")
    assert len(answer.json()["text"]) > 5_000_000
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == f'attachment; filename="{row["id"]}.json"'
