"""`hornbook embed`: features of anybody's images by a model of a folder, as Parquet with ids."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import InputError
from pipeline.core.image_records import Image
from pipeline.core.stage import Dropped
from pipeline.models.loading import pick_device
from pipeline.recipe_images import ImagesTable
from pipeline.store.disk import disk_errors, write_atomically
from pipeline.vision import backbone, reading
from pipeline.vision.features import extracted
from pipeline.vision.pool import Pool
from pipeline.vision.randomness import numbers_of


def embed(model: Path, images: str, to: Path, device: str = "auto") -> dict[str, Any]:
    """Write the features of a folder of images, an image or an .npz file; counts of what was read and dropped.

    Columns: id (hash of the pixels at the model's size, and of the source), source, label, class_token and
    pooled (the class token and the patches' mean), both lists of float32. Images that cannot be read are not in it, and
    are named in `dropped`. Raises InputError where there is no image that can be read.
    """
    opened = backbone.open_folder(model)
    place = Path(images)
    kind: Any = "npz" if place.suffix == ".npz" else "folder"
    table = ImagesTable(
        kind=kind,
        path=str(place.absolute()),
        size=opened.size,
        channels=3 if opened.channels == 3 else 1,
        test_share=0.0,
    )
    kept: list[Image] = []
    pixels: list[reading.Pixels] = []
    dropped = []
    for ready in reading.images(table):
        record: Any = ready.outcome.record
        if isinstance(ready.outcome, Dropped) or ready.pixels is None:
            reason = ready.outcome.detail if isinstance(ready.outcome, Dropped) else ""
            dropped.append({"source": record.source, "detail": reason})
            continue
        kept.append(record)
        pixels.append(ready.pixels)
    if not kept:
        raise InputError(f"none of the {len(dropped)} images in {images} can be read", hint=dropped[0]["detail"])
    where = pick_device(device)
    ids = [one.id for one in kept]
    pool = Pool(kept, np.stack(pixels), numbers_of(ids), np.arange(len(kept)))
    features = extracted(opened.model.to(where), opened.statistics, pool, where)
    rows = pa.table(
        {
            "id": ids,
            "source": [one.source for one in kept],
            "label": [one.label for one in kept],
            "class_token": pa.array(list(features.of_class), pa.list_(pa.float32())),
            "pooled": pa.array(list(features.pooled), pa.list_(pa.float32())),
        }
    )
    with disk_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(to, lambda file: pq.write_table(rows, file, compression="zstd"))
    return {"in": len(kept) + len(dropped), "kept": len(kept), "dropped": dropped, "out": str(to)}
