"""The browser's server: on this machine alone, for whoever holds the token that was printed.

What it guards against is another program's page in the user's browser, and another user of the machine. It listens on
the loopback. The token is good for one visit, which gets a cookie that no script can read and no other site is sent.
Host and Origin must be its own, so a name that is pointed at the loopback reaches nothing. The page may run its own
scripts and no other, and fetch from nowhere else: what a model wrote is text in it, never markup.
"""

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import HornbookError, MissingExtra, UsageError
from pipeline.core.identity import finite
from pipeline.store.places import Places
from pipeline.view.pages import ROWS, Viewer
from pipeline.view.records import FACETS, Query

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""Content-Security-Policy of every answer. No inline script or style, and no text that becomes markup."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
MOST_BODY = 65_536
"""Bytes of a label's request."""
NO_ENTRY = "This page opens with the address that `hornbook view` prints, once. Run it again for a new one."


@dataclass(slots=True)
class Door:
    """Who may come in. port: of the server. token: good for one visit, "" when it was used. cookie: what is given for
    it."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def name(self) -> str:
        """The cookie's name. Cookies are shared by all ports of a machine, so each server has its own."""
        return f"hornbook-{self.port}"

    @property
    def url(self) -> str:
        """The address that lets in, once."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def refusal(self, request: "Request") -> str:
        """Why a request does not get in, "" where it does. A token is used up by the request that it lets in."""
        hosts = {f"{host}:{self.port}" for host in ("127.0.0.1", "localhost", "[::1]")}
        if request.headers.get("host") not in hosts:
            return "the address is not that of this server"
        origin = request.headers.get("origin")
        asking = request.method in ("GET", "HEAD")
        if origin not in {f"http://{host}" for host in hosts} and not (asking and origin is None):
            return "another page asked for this"
        if _same(request.cookies.get(self.name, ""), self.cookie):
            return ""
        if asking and request.url.path == "/" and _same(request.query_params.get("token", ""), self.token):
            self.token = ""
            return ""
        return NO_ENTRY


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def app(places: Places, door: Door) -> "Starlette":
    """The server's application. Raises MissingExtra where its libraries are not installed."""
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.base import BaseHTTPMiddleware
        from starlette.responses import PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "`hornbook view` needs starlette and uvicorn", hint="pip install 'hornbook[view]'"
        ) from error

    async def guarded(request: "Request", go_on: "Callable[[Request], Awaitable[Response]]") -> "Response":
        visiting = bool(request.query_params.get("token"))
        refusal = door.refusal(request)
        answer = PlainTextResponse(refusal, 403) if refusal else await go_on(request)
        if visiting and not refusal:
            answer.set_cookie(door.name, door.cookie, httponly=True, samesite="strict", path="/")
        answer.headers.update(HEADERS)
        return answer

    def told(answer: "Callable[[Viewer, Request], Any]") -> "Callable[[Request], Response]":
        return _refusing(lambda request: Response(json_bytes(answer(viewer, request)), media_type="application/json"))

    viewer = Viewer(places)
    routes = [Route(f"/api/{path}", told(answer)) for path, answer in ANSWERS.items()]
    return Starlette(
        routes=[
            *routes,
            Route("/api/runs/{run}/labels/{id}", _labelling(viewer), methods=["PUT"]),
            Route("/api/runs/{run}/labels.jsonl", _refusing(_labels_file(viewer))),
            Route("/api/runs/{run}/records/{id}/whole", _refusing(_whole(viewer))),
            Route("/{name:path}", _page_file),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)],
    )


def _refusing(answer: "Callable[[Request], Response]") -> "Callable[[Request], Response]":
    """`answer`, with an error of ours told as one."""

    def endpoint(request: "Request") -> "Response":
        try:
            return answer(request)
        except HornbookError as error:
            return _refused(error)

    return endpoint


def _refused(error: HornbookError, usage: int = 404) -> "Response":
    """usage: the status of what was asked wrongly."""
    from starlette.responses import Response

    said = {"error": {"message": error.message, "hint": error.hint}}
    code = usage if isinstance(error, UsageError) else 500
    return Response(json_bytes(said), code, media_type="application/json")


def _records(viewer: Viewer, request: "Request") -> dict[str, Any]:
    given, path = request.query_params, request.path_params
    wanted = tuple((name, given[name]) for name in FACETS if given.get(name))
    query = Query(given.get("q", "")[:1_000], wanted)
    return viewer.records(
        path["run"], path["stage"], path["kind"], query, _number(given, "offset", 0), _number(given, "limit", ROWS),
        given.get("label", ""), _share(given, "low"), _share(given, "high"),
    )  # fmt: skip


ANSWERS: "Mapping[str, Callable[[Viewer, Request], Any]]" = {
    "runs": lambda viewer, request: viewer.runs(),
    "runs/{run}": lambda viewer, request: viewer.run(request.path_params["run"]),
    "runs/{run}/status": lambda viewer, request: viewer.status(request.path_params["run"]),
    "runs/{run}/problems": lambda viewer, request: viewer.problems(request.path_params["run"]),
    "runs/{run}/labels": lambda viewer, request: viewer.labels(request.path_params["run"]),
    "runs/{run}/curves": lambda viewer, request: viewer.curves(request.path_params["run"]),
    "runs/{run}/stages/{stage}/{kind}": _records,
    "runs/{run}/stages/{stage}/{kind}/facets": lambda viewer, request: viewer.facets(
        request.path_params["run"], request.path_params["stage"], request.path_params["kind"]
    ),
    "runs/{run}/records/{id}": lambda viewer, request: viewer.record(
        request.path_params["run"], request.path_params["id"]
    ),
    "runs/{run}/records/{id}/trace": lambda viewer, request: viewer.trace(
        request.path_params["run"], request.path_params["id"]
    ),
}
"""What the page may ask for: a path below /api/, and the answer."""


def json_bytes(value: Any) -> bytes:
    """JSON in ASCII, which also holds half of a surrogate pair; what is no finite number is null."""
    try:
        return json.dumps(value, default=str, allow_nan=False).encode()
    except ValueError:
        return json.dumps(finite(value), default=str).encode()


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, "")
    if not text:
        return default
    if not (text.isdecimal() and len(text) < 16):
        raise UsageError(f"{name} = {text!r:.60}", hint="use a number from 0 on")
    return int(text)


def _share(given: Mapping[str, str], name: str) -> float | None:
    try:
        return float(given[name]) if given.get(name) else None
    except ValueError as error:
        raise UsageError(f"{name} = {given[name]!r:.60}", hint="use a number from 0 to 1") from error


def _labelling(viewer: Viewer) -> "Callable[[Request], Awaitable[Response]]":
    async def endpoint(request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BODY:
                return Response("too long", 413)
        path = request.path_params
        try:
            given = json.loads(body)
            if not isinstance(given, dict):
                raise UsageError("a label is an object")
            written = await run_in_threadpool(viewer.label, path["run"], path["id"], given)
        except (ValueError, RecursionError) as error:
            return _refused(UsageError(str(error), hint="send a label as JSON"), 400)
        except HornbookError as error:
            return _refused(error, 400)
        return Response(json_bytes(written), media_type="application/json")

    return endpoint


def _labels_file(viewer: Viewer) -> "Callable[[Request], Response]":
    return lambda request: _attached(
        "".join(json.dumps(row) + "\n" for row in viewer.labels(request.path_params["run"])), "labels.jsonl"
    )


def _whole(viewer: Viewer) -> "Callable[[Request], Response]":
    def endpoint(request: "Request") -> "Response":
        path = request.path_params
        found = viewer.record(path["run"], path["id"], whole=True)
        return _attached(json.dumps(found["row"], indent=1, default=str), f"{path['id']}.json")

    return endpoint


def _attached(text: str, name: str) -> "Response":
    """A file to download, which no browser takes for a page."""
    from starlette.responses import Response

    safe = "".join(c for c in name if c.isalnum() or c in ".-")
    return Response(
        text.encode(), media_type="text/plain", headers={"content-disposition": f'attachment; filename="{safe}"'}
    )


def page_files() -> dict[str, bytes]:
    """The page: its files by name."""
    folder = resources.files("pipeline.view") / "page"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def _page_file(request: "Request") -> "Response":
    from starlette.responses import PlainTextResponse, Response

    name = request.path_params["name"] or "index.html"
    content = page_files().get(name)
    if content is None:
        return PlainTextResponse("there is no such page", 404)
    return Response(content, media_type=TYPES[name.rpartition(".")[2]])
