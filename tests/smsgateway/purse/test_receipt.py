"""The letters of a receipt: each in a font that has it, lines broken where people would."""

from __future__ import annotations

from smsgateway.purse import receipt

receipt._register()


def test_each_letter_is_drawn_in_a_font_that_has_it() -> None:
    runs = list(receipt._runs("王小明 Söhne 한국 3 €"))
    assert runs == [("STSong-Light", "王小明"), ("Vera", " Söhne "), ("HYSMyeongJo-Medium", "한국"), ("Vera", " 3 €")]


def test_lines_are_broken_between_words_and_chinese_characters_and_fit() -> None:
    width = receipt._width("Thank you for")
    assert receipt._wrapped("Thank you for  nothing", width) == ["Thank you for", "nothing"]
    lines = receipt._wrapped("充值" * 20 + " Thank you " + "x" * 40, width)
    assert "".join(lines).replace(" ", "") == "充值" * 20 + "Thankyou" + "x" * 40
    assert all(receipt._width(line) <= width and line == line.strip() for line in lines)
    assert any("Thank" in line for line in lines)
    assert receipt._wrapped("", width) == [""]
