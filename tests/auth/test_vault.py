"""Secrets at rest: only this installation opens them, only for what they were sealed for."""

from __future__ import annotations

import pytest

from callcenter.auth import vault

pytestmark = pytest.mark.promise("E1")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "a key for tests")


def test_what_was_sealed_comes_back_and_does_not_show() -> None:
    sealed = vault.seal("JBSWY3DPEHPK3PXP", "a purpose")
    assert "JBSWY" not in sealed
    assert vault.seal("JBSWY3DPEHPK3PXP", "a purpose") != sealed, "equal secrets can't be told to be equal"
    assert vault.unseal(sealed, "a purpose") == "JBSWY3DPEHPK3PXP"


def test_another_purpose_another_key_or_a_changed_letter_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = vault.seal("secret", "of user 1")
    last = "A" if sealed[-2] != "A" else "B"
    for wrong, purpose in [(sealed, "of user 2"), (sealed[:-2] + last + sealed[-1], "of user 1"), ("", "of user 1")]:
        with pytest.raises(vault.CannotOpen):
            vault.unseal(wrong, purpose)
    monkeypatch.setenv("SECRET_KEY", "another key")
    with pytest.raises(vault.CannotOpen):
        vault.unseal(sealed, "of user 1")


def test_without_a_key_nothing_is_stored_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(vault.NoKey):
        vault.seal("secret", "a purpose")
