"""Sensitive words are found however they are written, and not where they are not."""

from __future__ import annotations

import time
import unicodedata

import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsgateway.words import shipped
from smsgateway.words.matcher import Entry, Matcher
from smsgateway.words.normalise import fold, invisible, positions, table
from smsgateway.words.pieces import marked

WORDS = [
    "赌博",
    "高利贷",
    "发票代开",
    "代开增值税发票",
    "casino",
    "loan shark",
    "viagra",
    "ass",
    "sex",
    "no-deposit bonus",
    "ak-47",
]
MATCHER = Matcher([Entry(w, "test") for w in WORDS], ["反赌博", "sex education", "pen is"])
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u0336\u3164\U000e0041"
SEEN = " .-_*·、，。~/|\u3000\n"
CYRILLIC = str.maketrans("aceopsxyi", "асеорѕхуі")
GREEK = str.maketrans("aiovx", "αιονχ")
LEET = str.maketrans("aeio", "4310")
TO_TRADITIONAL = opencc.OpenCC("s2t")
CHINESE = [w for w in WORDS if not w.isascii()]
LATIN = ["casino", "viagra", "gambling", "lottery"]


def found(text: str) -> list[tuple[str, str, bool]]:
    return [(h.word, text[h.start : h.end], h.contiguous) for h in MATCHER.find(text)]


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("来赌博吧", [("赌博", "赌博", True)]),
        ("來賭博吧", [("赌博", "賭博", True)]),
        ("赌\u200b\u200d博", [("赌博", "赌\u200b\u200d博", True)]),
        ("赌 博", [("赌博", "赌 博", False)]),
        ("賭。博，高_利_貸", [("赌博", "賭。博", False), ("高利贷", "高_利_貸", False)]),
        ("ＣＡＳＩＮＯ night", [("casino", "ＣＡＳＩＮＯ", True)]),
        ("ⓒⓐⓢⓘⓝⓞ 𝓬𝓪𝓼𝓲𝓷𝓸 🄲🄰🅂🄸🄽🄾", [("casino", w, True) for w in ("ⓒⓐⓢⓘⓝⓞ", "𝓬𝓪𝓼𝓲𝓷𝓸", "🄲🄰🅂🄸🄽🄾")]),
        ("саѕіno", [("casino", "саѕіno", True)]),
        ("cαsιnο", [("casino", "cαsιnο", True)]),
        ("cás\u0308ìnø", [("casino", "cás\u0308ìnø", True)]),
        ("c4s1n0 and v!agra", [("casino", "c4s1n0", False), ("viagra", "v!agra", False)]),
        ("C.A.S.I.N.O", [("casino", "C.A.S.I.N.O", False)]),
        ("casinos, Loan  Sharks", [("casino", "casinos", True), ("loan shark", "Loan  Sharks", True)]),
        ("loanshark l-o-a-n shark", [("loan shark", "loanshark", True), ("loan shark", "l-o-a-n shark", False)]),
        ("AK47, ak - 47", [("ak-47", "AK47", True), ("ak-47", "ak - 47", True)]),
        ("$ex", [("sex", "$ex", False)]),
    ],
)
def test_a_word_is_found_however_it_is_written(text: str, hits: list[tuple[str, str, bool]]) -> None:
    assert found(text) == hits


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    "text",
    [
        "first class assessment",
        "Essex, sextant",
        "bass and grass",
        "isn't it",
        "task47 break-470",
        "expires in 15d at 7am, code 455-553",
        "赌上声誉，博得喝彩",
        "反赌博宣传",
        "Sex education for teachers",
        "order S3X9 of 4SS12",
        "",
        " ，。",
    ],
)
def test_what_only_looks_like_a_word_is_no_hit(text: str) -> None:
    assert found(text) == []


def test_a_phrase_spares_only_what_is_inside_it() -> None:
    assert found("反赌博和赌博") == [("赌博", "赌博", True)]
    assert found("反 赌博")[0][:2] == ("赌博", "赌博")
    matcher = Matcher([Entry("penis", "x")], ["pen is"])
    assert matcher.find("My pen is new") == ()
    assert [h.contiguous for h in matcher.find("penis pen-is")] == [True, False]


def test_of_hits_inside_each_other_the_longest_is_told() -> None:
    matcher = Matcher([Entry("发票", "a"), Entry("代开发票", "b"), Entry("开发", "c")])
    assert [(h.word, h.category) for h in matcher.find("代开发票")] == [("代开发票", "b")]
    # one that blocks is told also inside one that does not
    assert {(h.word, h.contiguous) for h in matcher.find("代 开发票")} == {
        ("代开发票", False),
        ("发票", True),
        ("开发", True),
    }


@st.composite
def evasions(draw: st.DrawFn) -> tuple[str, str, bool]:
    """(word, how it is written, whether it still reads as one piece)."""
    word = draw(st.sampled_from([*CHINESE, "casino", "viagra", "loan shark"]))
    text = word
    contiguous = True
    if draw(st.booleans()):
        text = TO_TRADITIONAL.convert(text)
    if draw(st.booleans()):
        text = "".join(
            c.upper() if up else c
            for c, up in zip(text, draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text))), strict=False)
        )
    if draw(st.booleans()):
        text = text.translate(draw(st.sampled_from([CYRILLIC, GREEK])))
    if draw(st.booleans()):
        text = "".join(wide(c) if c.isascii() and not c.isspace() else c for c in text)
    if draw(st.booleans()):
        text = draw(st.sampled_from(ZERO_WIDTH)).join(text)
    if draw(st.booleans()):
        at = draw(st.integers(1, len(text) - 1))
        text = text[:at] + draw(st.text(st.sampled_from(SEEN), min_size=1, max_size=3)) + text[at:]
        contiguous = " " in word  # may have fallen where the word has its own space
    return word, text, contiguous


@pytest.mark.promise("S3")
@given(evasions(), st.sampled_from(["", "您好，", "Hi ", "（"]), st.sampled_from(["", "。请回复", " now", "）"]))
@settings(max_examples=300, deadline=None)
def test_no_evasion_gets_through(evasion: tuple[str, str, bool], before: str, after: str) -> None:
    word, text, contiguous = evasion
    hits = MATCHER.find(before + text + after)
    assert [h.word for h in hits] == [word]
    hit = hits[0]
    assert len(before) <= hit.start < hit.end <= len(before) + len(text)
    if " " not in word:
        assert hit.contiguous is contiguous


@given(st.sampled_from(["casino", "viagra"]), st.data())
@settings(max_examples=100, deadline=None)
def test_digits_in_place_of_letters_go_to_approval(word: str, data: st.DataObject) -> None:
    places = [i for i, c in enumerate(word) if c in "aeio"]
    chosen = data.draw(st.sets(st.sampled_from(places), min_size=1, max_size=len(word) // 2))
    text = "".join(c.translate(LEET) if i in chosen else c for i, c in enumerate(word))
    assert [(h.word, h.contiguous) for h in MATCHER.find(f"the {text}!")] == [(word, False)]


@given(st.text(max_size=80) | st.text(st.sampled_from("赌博賭 casino.ﬁß\u200b１1!$"), max_size=40))
@settings(max_examples=400, deadline=None)
def test_positions_lead_back_and_pieces_join_to_the_text(text: str) -> None:
    folded = fold(text)
    at = positions(text, folded)
    assert len(at) == len(folded)
    assert at == sorted(at)
    for place, char in zip(at, folded, strict=True):
        assert char in fold(text[place])
    hits = MATCHER.find(text)
    assert "".join(str(p["text"]) for p in marked(text, hits)) == text
    assert all(0 <= h.start < h.end <= len(text) for h in hits)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_forms_that_unicode_calls_equal_fold_to_the_same(text: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
    assert fold(fold(text)) == fold(text)


def test_every_character_is_folded_or_dropped_and_traditional_is_simplified() -> None:
    points = table()
    assert len(points) == 0x110000
    traditional, simple = (
        "萬與醜專業東絲兩嚴喪個豐臨為麗舉義烏樂喬習鄉書買亂爭於虧雲亞產畝親億",
        "万与丑专业东丝两严丧个丰临为丽举义乌乐乔习乡书买乱争于亏云亚产亩亲亿",
    )
    assert fold(traditional) == simple
    assert fold("٣４𝟝") == "345"
    assert all(invisible(c) for c in ZERO_WIDTH)
    assert not any(invisible(c) for c in SEEN)


def test_built_in_words_have_keys_of_their_own_and_can_be_searched_for() -> None:
    words = shipped.built_in()
    assert len(words) > 1000
    assert len({b.key for b in words}) == len(words) == len(shipped.by_folded())
    assert {b.category for b in words} == set(shipped.CATEGORIES)
    assert all(len(fold(b.key)) >= 2 and len(b.key) <= 60 for b in words)
    matcher = Matcher(Entry(b.key, b.category) for b in words)
    for b in words:
        assert any(h.contiguous for h in matcher.find(f"， {b.key} 。")), b.key


ORDINARY = [
    "【安心保险】尊敬的王先生，您的车险将于11月30日到期，点击链接续保享9折优惠，如有疑问请致电4001234567。回T退订",
    "【某银行】您的验证码是483920，5分钟内有效，请勿向任何人泄露。",
    "点击以下注册链接完成开户，路口交通便利，微信群交流更多优惠。",
    "您的积分即将清零，请尽快登录商城兑换礼品。",
    "您有大麻烦？我们来解决！女性爱美之心，专业护肤。",
    "承包养殖、复杂种植、支援交通建设、代替考试安排、突出千万用户口碑。",
    "电子弹窗已关闭，下一代考虑得更周到，太空放映厅今晚开放，请假证明请交人事。",
    "Your parcel is out for delivery today between 2 and 4 pm. Track it at example.com/t/AB12CD",
    "Hi Anna, your class assessment is on 15 Dec. It isn't too late to pass it. Reply STOP to opt out.",
    "Your code is 482915. Don't share it with anyone.",
    "Our new Essex branch opens on Monday: analysts and therapists are there to help you.",
    "Black Friday: 30% off all cocktail dresses, Scunthorpe store only. T&C apply.",
    "Payment of $15.50 received. Balance: $1,204.11. Ref 5A5S1N0.",
]


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_texts_have_no_hit(text: str) -> None:
    matcher = Matcher([Entry(b.key, b.category) for b in shipped.built_in()], shipped.phrases())
    assert [(h.word, text[h.start : h.end]) for h in matcher.find(text)] == []


@pytest.mark.parametrize(
    "piece", ["赌博", "反赌博", "赌 博", "casino ", "c4sino!", "a.s.s ", "赌\u200b", "🅰$$ ", "ass", "反"], ids=str
)
def test_a_long_text_made_to_be_slow_is_not(piece: str) -> None:
    text = (piece * 10_000)[:10_000]
    began = time.thread_time()
    hits = MATCHER.find(text)
    marked(text, hits)
    assert time.thread_time() - began < 1.0
    assert len(hits) <= 10_000


def test_inside_is_judged_by_all_spans_and_hits_not_only_the_last() -> None:
    matcher = Matcher(
        [Entry("甲乙", "x"), Entry("甲乙丙丁", "y"), Entry("丙丁", "z"), Entry("乙丙", "w")], ["子甲乙丑", "甲乙丑"]
    )
    assert [h.word for h in matcher.find("甲乙丙丁")] == ["甲乙丙丁"]
    assert [(h.word, h.start) for h in matcher.find("子甲乙丑甲乙子")] == [("甲乙", 4)]
    assert [(h.word, h.start) for h in matcher.find("甲乙甲乙丑乙丙")] == [("甲乙", 0), ("乙丙", 5)]
