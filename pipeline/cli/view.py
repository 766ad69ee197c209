"""`hornbook view`: the browser of runs, as a server on this machine or as a folder of files."""

import contextlib
import socket
from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, print_json, say, stderr
from pipeline.cli.outputs import output
from pipeline.core.errors import UsageError


def view(
    run: Annotated[
        str,
        typer.Argument(help="The run to open; all by default.", metavar="[RUN]", autocompletion=completion.runs),
    ] = "",
    export: Annotated[
        str | None,
        typer.Option("--export", help="Write the same as a folder of files for any web server.", metavar="DIR"),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the server; 0 for a free one.")] = 0,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Browse runs in a web browser, also one that goes on: records, problems, training. Ctrl-C ends it.

    The server is on this machine alone; the address that it prints lets one browser in, once.
    """
    from pipeline.run.reading import resolve
    from pipeline.store.places import places

    to = None if export is None else output("--export", export, "folder")
    where = places(data)
    name = resolve(where.runs, run).name if run else ""
    if to is not None:
        from pipeline.view.export import export as write

        written = write(where, [name] if name else [], to, lambda text: stderr.print(text, markup=False))
        if as_json:
            print_json(written.to_json())
        else:
            say(written.to_text())
        return
    from pipeline.view.server import Door, app

    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be had: {error.strerror}", hint="leave --port out for a free one"
        ) from error
    with listening:
        door = Door(listening.getsockname()[1])
        application = app(where, door)
        import uvicorn

        url = door.url + (f"#/run/{name}" if name else "")
        if as_json:
            print_json({"url": url, "data": str(where.data)}, at_once=True)
        else:
            say(f"{url}\nopens once, in one browser; Ctrl-C ends the server")
        config = uvicorn.Config(
            application, log_level="warning", access_log=False, lifespan="off", server_header=False, date_header=False
        )
        with contextlib.suppress(KeyboardInterrupt):  # the way in which it is meant to end
            uvicorn.Server(config).run(sockets=[listening])
