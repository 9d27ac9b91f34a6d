"""Only who knows the password answers a challenge, in time, once, and from where it was asked."""

from __future__ import annotations

from hashlib import md5

import pytest

from callcenter.telephony.sip.challenge import LIFETIME_S, Challenges, Verdict, parameters

USERS = {"branch": ("wrong one", "s3cret"), "other": ("else",)}
SOURCE = "198.51.100.7"


def h(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def answer(challenge: str, *, user: str = "branch", password: str = "s3cret", uri: str = "sip:4000@x", qop: bool = True,
           nc: str = "00000001", **more: str) -> str:  # fmt: skip
    """What a phone answers, computed from the standard's formula."""
    given = parameters(challenge)
    who, what = h(f"{user}:{given['realm']}:{password}"), h(f"INVITE:{uri}")
    middle = f"{nc}:abc:auth:" if qop else ""
    out = {
        "username": user, "realm": given["realm"], "nonce": given["nonce"], "uri": uri,
        "response": h(f"{who}:{given['nonce']}:{middle}{what}"), **more,
    }  # fmt: skip
    text = "Digest " + ", ".join(f'{k}="{v}"' for k, v in out.items())
    return text + (f', qop=auth, nc={nc}, cnonce="abc", algorithm=MD5' if qop else "")


def judge(challenges: Challenges, header: str, at: float = 0.0, source: str = SOURCE, to: str = "4000") -> Verdict:
    return challenges.judge(header, "INVITE", to, source, USERS, at).verdict


@pytest.fixture
def challenges() -> Challenges:
    return Challenges(b"k" * 32, "callcenter")


def test_the_right_password_is_right_with_and_without_quality_of_protection(challenges: Challenges) -> None:
    for qop in (True, False):
        header = answer(challenges.challenge(f"s{qop}", SOURCE, 0.0), qop=qop)
        proof = challenges.judge(header, "INVITE", "4000", SOURCE, USERS, 1.0)
        assert (proof.verdict, proof.username, proof.password) == (Verdict.RIGHT, "branch", "s3cret")


def test_a_wrong_password_an_unknown_user_and_another_method_are_wrong(challenges: Challenges) -> None:
    asked = challenges.challenge("s", SOURCE, 0.0)
    assert judge(challenges, answer(asked, password="guess")) is Verdict.WRONG
    assert judge(challenges, answer(asked, user="nobody")) is Verdict.WRONG
    assert judge(challenges, answer(asked, user="other")) is Verdict.WRONG
    wrong_method = challenges.judge(answer(asked), "REGISTER", "4000", SOURCE, USERS, 0.0)
    assert wrong_method.verdict is Verdict.WRONG


def test_a_nonce_is_stale_after_a_minute_from_elsewhere_and_of_another_process(challenges: Challenges) -> None:
    header = answer(challenges.challenge("s", SOURCE, 100.0))
    assert judge(challenges, header, 100 + LIFETIME_S + 1.5) is Verdict.STALE
    assert judge(challenges, header, 101.0, source="198.51.100.8") is Verdict.STALE
    assert judge(Challenges(b"other" * 8, "callcenter"), header, 101.0) is Verdict.STALE
    assert judge(challenges, header, 101.0) is Verdict.RIGHT


def test_an_answer_serves_once_and_the_next_count_serves_again(challenges: Challenges) -> None:
    asked = challenges.challenge("s", SOURCE, 0.0)
    assert judge(challenges, answer(asked)) is Verdict.RIGHT
    assert judge(challenges, answer(asked)) is Verdict.STALE
    assert judge(challenges, answer(asked, nc="00000002")) is Verdict.RIGHT


def test_an_answer_for_another_number_does_not_serve_for_this_one(challenges: Challenges) -> None:
    asked = challenges.challenge("s", SOURCE, 0.0)
    assert judge(challenges, answer(asked, uri="sip:9999@x")) is Verdict.WRONG
    assert judge(challenges, answer(asked, uri="sip:x:5060")) is Verdict.RIGHT


@pytest.mark.parametrize(
    "header",
    ["", "Digest", "Basic abc", 'Digest username="a', "Digest ,,,", 'Digest username="branch", response="', "Digest =",
     'Digest username="branch", nonce="", response="", uri=""', "Digest a=b c=d", 'Digest nonce="...", username=branch',
     "Digest username=branch, qop=auth"],
)  # fmt: skip
def test_what_is_no_answer_is_wrong_and_raises_nothing(challenges: Challenges, header: str) -> None:
    assert judge(challenges, header) is Verdict.WRONG


def test_quoted_commas_and_escapes_are_read() -> None:
    read = parameters(r'Digest username="a, \"b\"", nc=00000001, qop="auth"')
    assert read == {"username": 'a, "b"', "nc": "00000001", "qop": "auth"}
