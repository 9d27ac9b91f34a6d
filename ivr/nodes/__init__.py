"""The verbs of menus, one a file: its settings, its ways out, and what happens while a call is in it.

Read `play.py` (the simplest that waits) and `menu.py` first. Each is a frozen dataclass over `ivr.verb.Verb`.
"""

from __future__ import annotations

from typing import Final

from ivr.nodes.branch import Branch
from ivr.nodes.digits import Digits
from ivr.nodes.goto import Goto
from ivr.nodes.hang_up import HangUp
from ivr.nodes.http import Http
from ivr.nodes.language import Language
from ivr.nodes.menu import Menu
from ivr.nodes.play import Play
from ivr.nodes.queue import Queue
from ivr.nodes.record import Record
from ivr.nodes.say import Say
from ivr.nodes.set import Set
from ivr.nodes.survey import Survey
from ivr.nodes.text_message import TextMessage
from ivr.nodes.transfer import Transfer
from ivr.nodes.voicemail import Voicemail
from ivr.verb import Verb

VERBS: Final[dict[str, type[Verb]]] = {
    kind.name: kind
    for kind in (
        Play, Say, Menu, Digits, Branch, Http, Set, Queue, Transfer, Voicemail, Language, Survey, Record, HangUp, Goto,
        TextMessage,
    )
}  # fmt: skip
