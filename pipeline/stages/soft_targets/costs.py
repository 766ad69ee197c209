"""What soft targets take: bytes on disk, and the teacher's arithmetic. No torch here: `hornbook plan` reads this."""


def bytes_needed(loss_tokens: int, tokens: int, top_k: int, vocabulary: int) -> int:
    """Size of cached soft targets on disk: per loss token `top_k` ids and top_k + 1 float16, 8 bytes per token."""
    id_bytes = 2 if vocabulary <= 1 << 16 else 4
    top_k = min(top_k, vocabulary) if vocabulary else top_k
    return loss_tokens * (top_k * id_bytes + (top_k + 1) * 2) + 8 * tokens


def forward_flops(parameters: int, tokens: int) -> float:
    """Operations of a forward pass over `tokens`: 2 per parameter and token (Kaplan et al. 2020, 2.1)."""
    return 2.0 * parameters * tokens
