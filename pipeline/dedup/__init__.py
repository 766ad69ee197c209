"""Duplicates: exact, near (MinHash, verified), and renamed clones (normalised AST).

`Distinct` is the stage, `Index` what it compares with, `normal_form` what makes two texts clones. All are imported
from their modules on first use, because the compiled kernels pull in numba.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.dedup.clones import normal_form
    from pipeline.dedup.distinct import Distinct
    from pipeline.dedup.index import Index

__all__ = ["Distinct", "Index", "normal_form"]


def __getattr__(name: str) -> Any:
    if name == "Distinct":
        from pipeline.dedup.distinct import Distinct

        return Distinct
    if name == "Index":
        from pipeline.dedup.index import Index

        return Index
    if name == "normal_form":
        from pipeline.dedup.clones import normal_form

        return normal_form
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
