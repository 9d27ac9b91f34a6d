"""What a waiting caller is told: the place in the queue, how long it will take, the offer to be called back. Pure.

Each answer is prompts as in `calls.control.Play`. The sentences are few and whole, so that all of them can be spoken
beforehand (`usual`), and numbers are written in words, so that every voice says them rightly. Waits are rounded up: a
caller who is answered sooner than he was told is content.
"""

from __future__ import annotations

LANGUAGES = ("en", "zh")
MOST_EXACT_PLACE = 20
_STEPS_MIN = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 45, 60)
_EN = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_EN_TENS = {30: "thirty", 45: "forty-five", 60: "sixty"}
_ZH_DIGITS = "零一二三四五六七八九"
_KEY_EN = {"*": "star", "#": "the hash key"}
_KEY_ZH = {"*": "星号键", "#": "井号键"}


def announcement(place: int | None, wait_s: float | None, language: str) -> tuple[str, ...]:
    """The place (1 is next) and the expected wait, each left out if None."""
    place_part = () if place is None else place_prompts(place, language)
    wait_part = () if wait_s is None else wait_prompts(wait_s, language)
    return (*place_part, *wait_part)


def place_prompts(place: int, language: str) -> tuple[str, ...]:
    """The place in the queue; 1 is next."""
    if _zh(language):
        if place <= 1:
            return ("say:zh:您是下一位，请不要挂机。",)
        if place <= MOST_EXACT_PLACE:
            return (f"say:zh:您前面还有{_zh_count(place - 1)}位客户在等待。",)
        return ("say:zh:您前面等待的客户较多，请您耐心等候。",)
    if place <= 1:
        return ("say:en:You are next. Please stay on the line.",)
    if place <= MOST_EXACT_PLACE:
        return (f"say:en:You are number {_EN[place]} in the queue.",)
    return ("say:en:There are more than twenty callers ahead of you.",)


def wait_prompts(wait_s: float, language: str) -> tuple[str, ...]:
    """The expected wait, rounded up to a whole number of minutes that people say."""
    minutes = next((m for m in _STEPS_MIN if wait_s <= m * 60), None)
    if _zh(language):
        if minutes is None:
            return ("say:zh:预计等待时间超过一小时。",)
        if minutes == 1:
            return ("say:zh:预计等待时间不到一分钟。",)
        return (f"say:zh:预计等待时间约{_zh_count(minutes)}分钟。",)
    if minutes is None:
        return ("say:en:We expect that it will take more than an hour.",)
    if minutes == 1:
        return ("say:en:We expect to answer you in less than a minute.",)
    return (f"say:en:We expect to answer you in about {_EN_TENS.get(minutes) or _EN[minutes]} minutes.",)


def callback_offer(key: str, language: str) -> tuple[str, ...]:
    """The offer to hang up, keep the place and be called."""
    if _zh(language):
        return (f"say:zh:如果您不想继续等待，请按{_zh_key(key)}，我们会为您保留位置，轮到您时回电给您。",)
    return (
        f"say:en:If you would rather not wait, press {_en_key(key)}. You keep your place, and we call you when it is "
        "your turn.",
    )


def callback_number(known: bool, language: str) -> tuple[str, ...]:
    """Asks where to call; `known`: we have the number that he calls from."""
    if _zh(language):
        if known:
            return ("say:zh:回电到您现在使用的号码，请按井号键；回电到其他号码，请输入号码，以井号键结束。",)
        return ("say:zh:请输入您希望我们回电的号码，以井号键结束。",)
    if known:
        return (
            "say:en:To be called on the number you are calling from, press the hash key. For another number, enter it "
            "now, and press the hash key.",
        )
    return ("say:en:Please enter the number we shall call, and press the hash key.",)


def callback_number_wrong(language: str) -> tuple[str, ...]:
    """What was keyed is no number."""
    if _zh(language):
        return ("say:zh:这个号码无法拨打，请重新输入，以井号键结束。",)
    return ("say:en:We can't call this number. Please enter it again, and press the hash key.",)


def callback_kept(language: str) -> tuple[str, ...]:
    """Said to who took the offer, before the call ends."""
    if _zh(language):
        return ("say:zh:好的，我们已为您保留位置，轮到您时会回电给您。再见。",)
    return ("say:en:Thank you. You keep your place, and we will call you when it is your turn. Goodbye.",)


def sorry(language: str) -> tuple[str, ...]:
    """Said to who has waited as long as the queue lets anybody wait."""
    if _zh(language):
        return ("say:zh:非常抱歉，目前坐席仍在忙碌，请您稍后再拨。再见。",)
    return ("say:en:We are sorry, nobody has become free. Please call again later. Goodbye.",)


def usual() -> tuple[str, ...]:
    """Every sentence that `announcement` and the offers with digit keys can give, for speaking beforehand."""
    found: dict[str, None] = {}
    for language in LANGUAGES:
        for place in range(1, MOST_EXACT_PLACE + 2):
            found |= dict.fromkeys(place_prompts(place, language))
        for minutes in (*_STEPS_MIN, 61):
            found |= dict.fromkeys(wait_prompts(minutes * 60.0, language))
        for key in "123456789":
            found |= dict.fromkeys(callback_offer(key, language))
        for known in (True, False):
            found |= dict.fromkeys(callback_number(known, language))
        found |= dict.fromkeys((*callback_number_wrong(language), *callback_kept(language), *sorry(language)))
    return tuple(found)


def _zh(language: str) -> bool:
    return language.lower().startswith(("zh", "cmn"))


def _zh_count(n: int) -> str:
    """A count of people or minutes, 1–99: two is 两 before a measure word."""
    if n == 2:
        return "两"
    tens, ones = divmod(n, 10)
    lead = "" if tens == 0 else "十" if tens == 1 else _ZH_DIGITS[tens] + "十"
    return lead + (_ZH_DIGITS[ones] if ones else "")


def _en_key(key: str) -> str:
    return _EN[int(key)] if key.isascii() and key.isdigit() else _KEY_EN.get(key, key)


def _zh_key(key: str) -> str:
    return _ZH_DIGITS[int(key)] if key.isascii() and key.isdigit() else _KEY_ZH.get(key, key)
