"""`hornbook view`: the browser of runs, as a server on this machine."""

import socket
from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, print_json, say
from pipeline.core.errors import UsageError


def view(
    run: Annotated[
        str,
        typer.Argument(help="The run to open; all by default.", metavar="[RUN]", autocompletion=completion.runs),
    ] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the server; 0 for a free one.")] = 0,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Browse runs in a web browser, also one that goes on: records, problems, training. Ctrl-C ends it.

    The server is on this machine alone; the address that it prints lets one browser in, once.
    """
    from pipeline.run.reading import resolve
    from pipeline.store.places import places

    where = places(data)
    name = resolve(where.runs, run).name if run else ""
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
            print_json({"url": url, "data": str(where.data)})
        else:
            say(f"{url}\nopens once, in one browser; Ctrl-C ends the server")
        config = uvicorn.Config(
            application, log_level="warning", access_log=False, lifespan="off", server_header=False, date_header=False
        )
        uvicorn.Server(config).run(sockets=[listening])
