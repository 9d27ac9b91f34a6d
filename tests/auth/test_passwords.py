"""Passwords and their hashes."""

import pytest

from callcenter.auth import passwords
from callcenter.errors import InvalidInput


def test_hashes_are_argon2id_with_64_mib_and_fit_only_their_password() -> None:
    stored = passwords.hash_password("correct horse 7")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.verify("correct horse 7", stored)
    assert not passwords.verify("correct horse 8", stored)


def test_nobody_and_a_damaged_hash_fit_nothing() -> None:
    assert not passwords.verify("nobody has this password", None)
    assert not passwords.verify("x", "damaged")


@pytest.mark.parametrize("password", ["short", "x" * 201, "Somebody.Long"])
def test_a_weak_password_is_refused_at_its_field(password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.check_new(password, username="somebody.long", field="new")
    assert list(refused.value.fields) == ["new"]
