"""`hornbook embed`: features of images."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DataOption, JsonOption, print_json, say
from pipeline.cli.outputs import output
from pipeline.core.errors import InputError


def embed(
    model: Annotated[str, typer.Argument(help="Folder of a Dinov2Model or ViTModel, or a run.", metavar="MODEL")],
    images: Annotated[str, typer.Argument(help="A folder of images, or an .npz file.", metavar="IMAGES")],
    to: Annotated[str, typer.Option("--to", help="The Parquet file that is written.", metavar="FILE")],
    device: Annotated[str, typer.Option("--device", help="torch device; auto for a GPU where there is one.")] = "auto",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Features of images by a model of a run or a folder, with ids, as Parquet."""
    from pipeline.vision.embedding import embed as embed_images

    file = output("--to", to, "file")
    found = embed_images(_folder(model, data), images, file, device)
    if as_json:
        print_json(found)
        return
    say(f"{found['kept']:,} of {found['in']:,} images are in {found['out']}")
    for one in found["dropped"]:
        say(f"  dropped {one['source']}: {one['detail']}")


def _folder(model: str, data: str) -> Path:
    """The folder of weights that a folder's path or a run's name stands for."""
    if (Path(model) / "config.json").is_file():
        return Path(model)
    from pipeline.run.reading import open_run, resolve
    from pipeline.store.places import places

    where = places(data)
    run = open_run(resolve(where.runs, model), where.store)
    for name in ("distilled", "self-distilled"):
        stage = run.made(name)
        if stage is not None:
            return where.store.local(stage.name, stage.key, where.models) / "model"
    raise InputError(
        f"the run {run.name} has no network of images that is trained", hint="name a run of a recipe over images"
    )
