"""Wishes in many languages, as people write them, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgateway.inbound.fold import AnswerRule, Past, Settings, fold
from smsgateway.inbound.keywords import BUILT_IN, BUILT_IN_IN, BUILT_IN_OUT, Keywords, Match, Wish, matched

OUT = """
T|t|TD|td|Ｔ|ＴＤ|T。|“T”|t d|T D |R|r!|N|n|QX|0000|回T|回复T|回复TD|回复TD退订|T退订|TD退订|请回复TD|回覆T
退订|退 订|退订！|【退订】|退订谢谢|退订营销短信|退訂|取消|取消。|拒收|拒收谢谢|拒绝|别发了|勿扰
STOP|stop|Stop.|  stop  |S T O P|s-t-o-p|ＳＴＯＰ|st\u200bop|STOP!!!|STOP 🙏|"stop"
Stop please|STOP sending me texts|Reply STOP
STOPALL|stop all|UNSUBSCRIBE|Unsubscribe me|unsub|END|Quit|cancel|OPT OUT|opt-out|Optout please|REVOKE|no more|remove
BAJA|baja|Baja por favor|dar de baja|ALTO|CANCELAR|ARRET|ARRÊT|arrêt|Arrêter|ARRE\u0302T
DÉSABONNER|STOPP|Stopp bitte|abmelden|ENDE
SAIR|descadastrar|BASTA|annulla|AFMELDEN|stoppen|SLUTA|WYPISZ|REZYGNUJĘ|İPTAL|iptal|RET|BERHENTI|HỦY|Từ chối
СТОП|стоп|Отписаться|отмена|配信停止|停止してください|解除|수신거부|수신거부 부탁드립니다|거부|إلغاء|ยกเลิก
"""
IN = "START|start!|Start|UNSTOP|opt in|开通|開通|开 通|订阅|訂閱|恢复订阅|ALTA|СТАРТ|再開|수신동의|ｓｔａｒｔ"
NEITHER = """
|   |👍|?!|好的|谢谢|T恤多少钱|The price?|Tomorrow|TDK|Right|R2D2|No|N95口罩有吗
End of May suits me|Cancel my appointment at 3
Remove the second item|quite good|non-stop service|不要取消|我想订阅新闻|不退订
Startup costs?|unstoppable|I will not stop|Restart it
退货怎么办|怎么开通|please start the work|nada|bajar el precio|Ende Mai passt|Retour|stopwatch|取消订单123
13800138000|00
"""


def words(table: str) -> list[str]:
    return [w for line in table.strip("\n").split("\n") for w in line.split("|")]


@pytest.mark.promise("S8")
@pytest.mark.parametrize("body", words(OUT))
def test_no_more_is_understood(body: str) -> None:
    found = BUILT_IN.recognise(body)
    assert found is not None and found.wish is Wish.OUT


@pytest.mark.promise("S8")
@pytest.mark.parametrize("body", words(IN))
def test_yes_again_is_understood(body: str) -> None:
    found = BUILT_IN.recognise(body)
    assert found is not None and found.wish is Wish.IN


@pytest.mark.parametrize("body", words(NEITHER))
def test_what_only_looks_like_a_wish_is_none(body: str) -> None:
    assert BUILT_IN.recognise(body) is None


@given(
    st.sampled_from(BUILT_IN_OUT + BUILT_IN_IN),
    st.text(alphabet=" \t\n.,!?;:“”'()*-_…。！？、\u200b\ufeff🙏👍", max_size=6),
    st.text(alphabet=" \t\n.,!?;:“”'()*-_…。！？、\u200b\ufeff🙏👍", max_size=6),
    st.booleans(),
)
def test_case_and_what_stands_around_a_keyword_change_nothing(word: str, before: str, after: str, upper: bool) -> None:
    found = BUILT_IN.recognise(before + (word.upper() if upper else word.lower()) + after)
    plain = BUILT_IN.recognise(word)
    assert found is not None and found == plain


@given(st.text(max_size=60))
def test_no_text_breaks_it(body: str) -> None:
    BUILT_IN.recognise(body)
    matched(Match.CONTAINS, ["price", "价格"], body)


def test_no_word_has_two_meanings() -> None:
    assert all(BUILT_IN.recognise(w) is not None for w in BUILT_IN_OUT + BUILT_IN_IN)
    assert {w for w in BUILT_IN_IN if (r := BUILT_IN.recognise(w)) and r.wish is Wish.OUT} == set()


def test_an_enterprise_has_keywords_of_its_own_and_switches_others_off() -> None:
    own = Keywords(["No thanks", "不看了"], ["Yes please"], off=["R", "取消"])
    assert own.recognise("no thanks!") is not None
    assert own.recognise("不看了") is not None
    assert (found := own.recognise("yes, please")) is not None and found.wish is Wish.IN
    assert own.recognise("R") is None and own.recognise("取消") is None and own.recognise("TD") is not None
    assert BUILT_IN.recognise("No thanks") is None


def test_the_first_word_counts_only_where_the_rule_says_so() -> None:
    strict = Keywords(first_word=False)
    assert strict.recognise("STOP please") is None and strict.recognise("退订谢谢") is None
    assert strict.recognise("STOP") is not None and strict.recognise("回复TD退订") is not None


@pytest.mark.parametrize(
    ("match", "body", "hit"),
    [
        (Match.WHOLE, "Price", True),
        (Match.WHOLE, "price please", False),
        (Match.STARTS, "Price, please", True),
        (Match.STARTS, "the price", False),
        (Match.CONTAINS, "What is the PRICE?", True),
        (Match.CONTAINS, "priceless", False),
        (Match.CONTAINS, "请问价格是多少", True),
        (Match.STARTS, "价格多少", True),
        (Match.STARTS, "请问价格", False),
        (Match.WHOLE, "价格？", True),
    ],
)
def test_answers_find_their_words(match: Match, body: str, hit: bool) -> None:
    assert (matched(match, ("price", "价格"), body) is not None) == hit


RULES = (AnswerRule(1, Match.CONTAINS, ("price",), 11), AnswerRule(2, Match.CONTAINS, ("price", "hours"), 12))
SETTINGS = Settings(rules=RULES, out_reply="bye", in_reply="hello", answers_per_hour=2)


def test_a_wish_is_confirmed_once_and_only_if_it_changed_something() -> None:
    first = fold("STOP", SETTINGS, Past())
    assert (first.changes, first.confirm, first.for_people) == (True, "bye", False)
    assert fold("STOP", SETTINGS, Past(opted_out=True)).confirm == ""
    again = fold("STOP", SETTINGS, Past(confirmed=frozenset({Wish.OUT})))
    assert (again.changes, again.confirm) == (True, "")
    assert fold("STOP", SETTINGS, Past(reachable=False)) == fold("STOP", Settings(), Past(reachable=False))
    back = fold("start", SETTINGS, Past(opted_out=True, confirmed=frozenset({Wish.OUT})))
    assert (back.wish, back.confirm) == (Wish.IN, "hello")
    never = fold("start", SETTINGS, Past())
    assert (never.changes, never.confirm, never.for_people) == (False, "", True)


def test_the_first_answer_in_order_is_sent_until_it_was_often_enough() -> None:
    assert fold("The price? And hours?", SETTINGS, Past()).rule == RULES[0]
    assert fold("hours", SETTINGS, Past(answers=1)).rule == RULES[1]
    often = fold("hours", SETTINGS, Past(answers=2))
    assert (often.rule, often.limited, often.for_people) == (None, True, True)
    assert fold("hours", SETTINGS, Past(reachable=False)).rule is None
    assert fold("good morning", SETTINGS, Past()).rule is None
