"""Keys are masked whole, also where one holds another."""

import pytest

from pipeline.teacher import redaction


def test_a_key_that_holds_another_is_masked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", {"secret", "sk-very-secret-key", "very-secret"})
    assert redaction.redact("refused sk-very-secret-key, secret") == "refused [key], [key]"
