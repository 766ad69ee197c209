"""Which files of a folder are which, said so that others hear it.

`datasets.load_dataset(FOLDER)` takes every Parquet file below a folder for one table, be it of records kept or dropped,
unless a README.md there names configurations in its front matter.
"""

from collections.abc import Mapping

README = "README.md"


def readme(kept: str, dropped: str | None, said: str) -> str:
    """A README.md whose default configuration is what was kept, and another one what was dropped.

    kept, dropped: patterns of files; None where nothing was dropped, for a pattern without files is an error of the
    library's. said: the text below, Markdown.
    """
    patterns = {"kept": kept} | ({"dropped": dropped} if dropped else {})
    return f"---\n{front_matter({name: {'train': pattern} for name, pattern in patterns.items()})}---\n\n{said}\n"


def front_matter(configs: Mapping[str, Mapping[str, str]]) -> str:
    """The key `configs` of a dataset card's front matter; the first is the default.

    configs: by name, the pattern of files of each split.
    """
    lines = ["configs:"]
    for number, (name, splits) in enumerate(configs.items()):
        lines += [f"- config_name: {name}", *([] if number else ["  default: true"]), "  data_files:"]
        for split, pattern in splits.items():
            lines += [f"  - split: {split}", f"    path: {pattern}"]
    return "\n".join(lines) + "\n"
