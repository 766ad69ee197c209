"""Documents to token shards: tokenizers, packing, and the reader of what was packed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.tokens.packing import TokensSummary, pack
    from pipeline.tokens.shards import TokenStore

__all__ = ["TokenStore", "TokensSummary", "pack"]


def __getattr__(name: str) -> Any:
    if name in ("TokensSummary", "pack"):
        from pipeline.tokens import packing

        return getattr(packing, name)
    if name == "TokenStore":
        from pipeline.tokens.shards import TokenStore

        return TokenStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
