"""The page where menus are drawn, in a real browser with a real mouse: drawing, undoing, being told what is wrong,
publishing, comparing, trying in text, two people at once. Needs the built interface (`make ui`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from callcenter.acd.models import Queue
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from ivr.models import FlowNodeDay, FlowRow, FlowVersion
from ivr.nodes import VERBS
from ivr.nodes.branch import KINDS
from ivr.verb import Kind, Verb, described
from tests.browser.chromium import faults, launch, sign_in
from tests.web.serving import web_process

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PASSWORD = "correct horse 7"
SIZE = {"width": 1366, "height": 768}
GRID = 16


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def tenant(database: object, redis_client: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as s:
        found = open_enterprise(s, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    with tenant_session(found) as s:
        s.add_all([Queue(name="Sales"), Queue(name="Service")])
    return found


@pytest.fixture
def address(tenant: int, tmp_path: Path) -> Iterator[str]:
    with web_process(tmp_path) as running:
        yield running


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    context = chromium.new_context(viewport=SIZE, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, address, "acme", "boss", PASSWORD)
    yield page
    context.close()
    assert errors == []


class Drawing:
    """The editor, by mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.get_by_role("complementary", name="Details")
        self.canvas = page.locator(".flow-canvas")

    def node(self, name: str) -> Locator:
        return self.page.locator(f'.vue-flow__node[data-id="{name}"]')

    def nodes(self) -> Locator:
        return self.page.locator(".vue-flow__node")

    def lines(self) -> Locator:
        return self.page.locator(".vue-flow__edge")

    def put(self, verb: str, x: int, y: int) -> Locator:
        """Drag a step from the palette to a place of the page."""
        count = self.nodes().count()
        step = self.page.locator(f'.flow-palette [data-verb="{verb}"]')
        step.drag_to(self.page.locator(".vue-flow__pane"), target_position={"x": x, "y": y})
        expect(self.nodes()).to_have_count(count + 1)
        return self.nodes().last

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
        mouse.move(*end, steps=4)
        mouse.up()

    def port(self, node: str, way: str) -> tuple[float, float]:
        return middle(self.node(node).locator(f'.vue-flow__handle[data-handleid="{way}"]'))

    def connect(self, node: str, way: str, to: str) -> None:
        """Draw a line from a way out to another step."""
        count = self.lines().count()
        self.drag(self.port(node, way), middle(self.node(to)))
        expect(self.lines()).to_have_count(count + 1)

    def choose(self, node: str) -> None:
        self.node(node).locator("header").click()
        expect(self.node(node)).to_have_class(re.compile("selected"))

    def saved(self) -> None:
        expect(self.page.get_by_role("status").filter(has_text="Saved")).to_be_visible()

    def picture(self) -> dict[str, tuple[float, float]]:
        """Where every step stands on the page, measured from the first one."""
        found = {n.get_attribute("data-id") or "": middle(n.locator("header")) for n in self.nodes().all()}
        left, top = found[min(found)]
        return {name: (round(x - left), round(y - top)) for name, (x, y) in sorted(found.items())}


def middle(of: Locator) -> tuple[float, float]:
    box = of.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def new_menu(page: Page, address: str, name: str, begin: str = "An empty page") -> Drawing:
    page.goto(f"{address}/flows/new")
    panel = page.get_by_role("complementary", name="New menu")
    panel.get_by_label("Name", exact=True).fill(name)
    panel.get_by_text(begin).click()
    panel.get_by_role("button", name="Create menu").click()
    drawing = Drawing(page)
    drawing.canvas.wait_for()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return drawing


def stored(tenant: int, name: str) -> FlowRow:
    with tenant_session(tenant) as s:
        row = s.query(FlowRow).filter(FlowRow.name == name).one()
        s.expunge(row)
        return row


@pytest.mark.promise("I2")
def test_an_admin_draws_a_menu_of_two_levels_publishes_it_and_finds_it_so_after_a_reload(
    page: Page, address: str, tenant: int
) -> None:
    drawing = new_menu(page, address, "Main line")
    panel = drawing.panel
    for verb, x, y in (
        ("say", 130, 60), ("menu", 400, 60), ("menu", 400, 300),
        ("queue", 670, 30), ("queue", 670, 200), ("hang_up", 670, 420),
    ):  # fmt: skip
        drawing.put(verb, x, y)

    drawing.choose("say_1")
    panel.get_by_label("What is said").fill("Thank you for calling.")
    for menu, keys in (("menu_1", {"1": "Sales", "2": "More"}), ("menu_2", {"1": "Service", "*": "Back"})):
        drawing.choose(menu)
        hears = panel.get_by_role("list", name="What the caller hears")
        hears.get_by_role("button", name="Add a part").click()
        hears.get_by_label("Text to be spoken").fill("Please choose.")
        for key, meaning in keys.items():
            panel.get_by_role("button", name=f"Add key {key}", exact=True).click()
            panel.get_by_label(f"What key {key} stands for").fill(meaning)
    for queue, name in (("queue_1", "Sales"), ("queue_2", "Service")):
        drawing.choose(queue)
        panel.get_by_label("Queue", exact=True).first.click()
        page.get_by_role("option", name=name).click()

    drawing.connect("say_1", "next", "menu_1")
    drawing.connect("menu_1", "1", "queue_1")
    drawing.connect("menu_1", "2", "menu_2")
    drawing.connect("menu_2", "1", "queue_2")
    drawing.connect("menu_2", "*", "menu_1")
    for menu in ("menu_1", "menu_2"):
        drawing.connect(menu, "timeout", "hang_up_1")
        drawing.connect(menu, "invalid", "hang_up_1")
    expect(page.get_by_role("button", name="Nothing wrong")).to_be_visible()
    drawing.saved()

    page.get_by_role("button", name="Publish", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What has changed").fill("The first one")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1", exact=True)).to_be_visible()
    before, lines = drawing.picture(), drawing.lines().count()
    page.reload()
    expect(drawing.nodes()).to_have_count(6)
    expect(drawing.lines()).to_have_count(lines)
    after = drawing.picture()
    zoom = (after["menu_1"][0] - after["say_1"][0]) / (before["menu_1"][0] - before["say_1"][0])
    for name, (x, y) in before.items():
        assert after[name][0] == pytest.approx(x * zoom, abs=3), name
        assert after[name][1] == pytest.approx(y * zoom, abs=3), name
    expect(drawing.node("menu_2")).to_contain_text("Service")

    row = stored(tenant, "Main line")
    ways = {n["id"]: n["ways"] for n in row.draft["nodes"]}
    assert ways["menu_1"] == {"1": "queue_1", "2": "menu_2", "timeout": "hang_up_1", "invalid": "hang_up_1"}
    assert ways["menu_2"] == {"1": "queue_2", "*": "menu_1", "timeout": "hang_up_1", "invalid": "hang_up_1"}
    assert (row.draft["start"], row.published) == ("say_1", 1)
    assert all(n["x"] % GRID == 0 and n["y"] % GRID == 0 for n in row.draft["nodes"]), "steps lie on the grid"
    with tenant_session(tenant) as s:
        version = s.query(FlowVersion).one()
        assert (version.note, version.flow) == ("The first one", row.draft)


@pytest.mark.promise("I2")
def test_every_deed_is_undone_and_done_again_and_the_keyboard_does_it_all(
    page: Page, address: str, tenant: int
) -> None:
    drawing = new_menu(page, address, "Keys", "A greeting and a choice")
    expect(drawing.nodes()).to_have_count(5)
    keys = page.keyboard
    first = drawing.picture()
    x, y = middle(drawing.node("queue_2").locator("header"))
    drawing.drag((x, y), (x + 80, y + 80))
    moved = drawing.picture()
    assert moved["queue_2"] != first["queue_2"]
    keys.press("Control+z")
    assert drawing.picture() == first
    keys.press("Control+Shift+z")
    assert drawing.picture() == moved

    # Copied and put in again, with the lines between; then gone; then back.
    keys.press("Control+a")
    keys.press("Control+c")
    keys.press("Control+v")
    expect(drawing.nodes()).to_have_count(10)
    expect(drawing.lines()).to_have_count(10)
    expect(page.locator(".vue-flow__node.selected")).to_have_count(5)
    keys.press("ArrowDown")
    keys.press("Delete")
    expect(drawing.nodes()).to_have_count(5)
    keys.press("Control+z")
    expect(drawing.nodes()).to_have_count(10)
    for _ in range(3):
        keys.press("Control+z")
    expect(drawing.nodes()).to_have_count(5)
    assert drawing.picture() == first

    # Tab goes from step to step, Enter into the settings.
    drawing.node("say_1").focus()
    keys.press("Tab")
    keys.press("Shift+Tab")
    expect(drawing.node("say_1")).to_have_class(re.compile("selected"))
    keys.press("Enter")
    expect(drawing.panel.get_by_label("What is said")).to_be_focused()
    keys.type("Hello. ")
    expect(drawing.node("say_1")).to_contain_text("Hello.")
    drawing.panel.get_by_label("Then").click()
    page.get_by_role("option", name="Goodbye").click()
    drawing.saved()
    assert stored(tenant, "Keys").draft["nodes"][0]["ways"] == {"next": "hang_up_1"}

    # A line is chosen and taken away; a step beside the line's end is found by letting it go over the ground.
    drawing.page.locator(".vue-flow__edge").first.locator(".vue-flow__edge-interaction").click(force=True)
    keys.press("Delete")
    expect(drawing.lines()).to_have_count(4)
    x, y = middle(drawing.canvas)
    drawing.drag(drawing.port("say_1", "next"), (x, y - 280))
    page.get_by_role("dialog", name="Steps to add").get_by_role("button", name="Voicemail").click()
    expect(drawing.nodes()).to_have_count(6)
    expect(drawing.lines()).to_have_count(5)


@pytest.mark.promise("I2")
def test_what_is_wrong_is_named_at_its_step_and_keeps_the_menu_from_being_published(page: Page, address: str) -> None:
    drawing = new_menu(page, address, "Wrong")
    drawing.put("say", 150, 100)
    drawing.put("say", 480, 300)
    for node in ("say_1", "say_2"):
        drawing.choose(node)
        drawing.panel.get_by_label("What is said").fill("Hello.")
    drawing.connect("say_1", "next", "say_2")
    page.get_by_role("button", name="Publish", exact=True).click()
    findings = page.get_by_role("region", name="What is wrong")
    dead_end = findings.get_by_role("button", name=re.compile("“Then” leads nowhere"))
    page.locator(".vue-flow__pane").click(position={"x": 20, "y": 20})
    dead_end.click()
    expect(drawing.node("say_2")).to_have_class(re.compile("selected"))
    expect(drawing.panel.get_by_text("“Then” leads nowhere")).to_be_visible()
    expect(drawing.node("say_2").get_by_role("img", name=re.compile("leads nowhere"))).to_be_visible()
    drawing.connect("say_2", "next", "say_1")
    expect(findings.get_by_text(re.compile("can never end or reach|go round here for ever")).first).to_be_visible()
    expect(page.get_by_text("Never published")).to_be_visible()


@pytest.mark.promise("I2")
def test_versions_are_compared_brought_back_and_tried_in_text(page: Page, address: str) -> None:
    drawing = new_menu(page, address, "Office", "A greeting and a choice")
    for queue, name in (("queue_1", "Sales"), ("queue_2", "Service")):
        drawing.choose(queue)
        drawing.panel.get_by_label("Queue", exact=True).first.click()
        page.get_by_role("option", name=name).click()
    publish(page, "One")
    drawing.choose("queue_2")
    page.keyboard.press("Delete")
    drawing.choose("menu_1")
    drawing.panel.get_by_role("button", name="Remove key 2").click()
    expect(page.get_by_role("button", name="Nothing wrong")).to_be_visible()
    publish(page, "Two")
    page.get_by_role("button", name="Versions").click()
    expect(drawing.panel.get_by_text("Heard now")).to_have_count(1)
    drawing.panel.get_by_role("link", name="Compare with the one before").click()
    expect(drawing.node("queue_2")).to_contain_text("Removed")
    expect(drawing.node("menu_1")).to_contain_text("Changed")
    expect(page.get_by_role("complementary", name="Changes").get_by_text("Keys")).to_be_visible()
    expect(page.locator(".vue-flow__edge.tone-removed")).to_have_count(1)
    page.get_by_role("link", name="Back to the drawing").click()
    drawing.panel.get_by_role("button", name="Bring back").click()
    expect(page.get_by_text("Callers hear version 1 again.")).to_be_visible()
    expect(page.locator(".state", has_text="Draft differs")).to_be_visible()

    page.get_by_role("button", name="Try it").click()
    drawing.panel.get_by_role("button", name="In text").click()
    log = drawing.panel.get_by_role("log")
    expect(log).to_contain_text("Thank you for calling.")
    drawing.panel.get_by_role("button", name="Say nothing").click()
    expect(drawing.node("menu_1")).to_contain_text("Now here")
    drawing.panel.get_by_role("button", name="1", exact=True).click()
    expect(log).to_contain_text("Leads to: a queue Sales")


def publish(page: Page, note: str) -> None:
    expect(page.get_by_role("button", name="Nothing wrong")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("dialog").get_by_label("What has changed").fill(note)
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.promise("I2")
def test_every_verb_has_its_form_and_callers_are_counted_on_the_drawing(page: Page, address: str, tenant: int) -> None:
    drawing = new_menu(page, address, "All")
    verbs = page.locator(".flow-palette [data-verb]").all()
    for verb in verbs:
        verb.click()
        expect(drawing.panel.get_by_role("heading", level=2)).to_have_text(verb.inner_text())
        expect(drawing.panel.get_by_label("Title")).to_be_visible()
    expect(drawing.nodes()).to_have_count(len(verbs))
    boxes = [n.bounding_box() or {} for n in drawing.nodes().all()]
    covered = [(a, b) for a in boxes for b in boxes if a is not b and apart(a, b) is False]
    assert covered == [], "what is chosen from the palette is put where nothing lies"
    page.get_by_role("button", name="Show all").click()
    drawing.choose("branch_1")
    drawing.panel.get_by_role("button", name="Add a case").click()
    drawing.panel.get_by_label("Name of the case").fill("Weekdays")
    drawing.panel.locator('[data-setting="kind"] .el-select').click()
    page.get_by_role("option", name="By day of the week").click()
    drawing.panel.get_by_role("button", name="Fri").click()
    expect(drawing.node("branch_1").get_by_role("listitem")).to_have_text(["Weekdays", "Otherwise"])
    drawing.saved()
    row = stored(tenant, "All")
    case = next(n for n in row.draft["nodes"] if n["id"] == "branch_1")["settings"]["cases"][0]
    assert (case["name"], case["kind"], case["days"]) == ("Weekdays", "weekday", [1, 2, 3, 4])

    with tenant_session(tenant) as s:
        for way, calls in (("next", 40), ("hang_up", 2)):
            day = utc_now().date()
            s.add(FlowNodeDay(flow_id=row.id, version=1, node_id="play_1", day=day, way=way, calls=calls, seconds=105))
    page.get_by_role("button", name="Figures of callers on each step").click()
    for text in ("42", "40", "5.0 s"):
        expect(drawing.node("play_1").get_by_text(text, exact=True)).to_be_visible()


def _settings_of(verb: type[Verb]) -> Iterator[dict[str, Any]]:
    """Settings that show every part of a verb's form: none at all, and each choice and each kind of case."""
    yield {}
    for part in described(verb)["settings"]:
        yield from ({part["name"]: choice} for choice in part["choices"])
        if part["kind"] == Kind.CASES:
            yield {part["name"]: [{"name": kind, "kind": kind} for kind in KINDS]}
            yield {part["name"]: [{"name": "Bare"}]}


def test_every_step_is_drawn_and_asked_for_with_each_of_its_choices(page: Page, address: str, tenant: int) -> None:
    settings = [(verb, found) for verb, kind in VERBS.items() for found in _settings_of(kind)]
    nodes = [
        {"id": f"{verb}_{i}", "verb": verb, "x": i % 8 * 320, "y": i // 8 * 480, "settings": found, "ways": {}}
        for i, (verb, found) in enumerate(settings)
    ]
    with tenant_session(tenant) as s:
        row = FlowRow(name="All", draft={"nodes": nodes, "start": nodes[0]["id"]})
        s.add(row)
        s.flush()
        here = f"{address}/flows/{row.id}"
    page.goto(here)
    drawing = Drawing(page)
    expect(drawing.nodes()).to_have_count(len(nodes))
    for node in nodes:
        drawing.node(str(node["id"])).focus()
        expect(drawing.panel).to_contain_text(str(node["id"]))
        expect(drawing.panel.get_by_label("Title")).to_be_visible()


def apart(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two boxes cover nothing of each other."""
    across = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
    return across or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]


@pytest.mark.promise("I2")
def test_two_who_draw_at_once_never_overwrite_each_other(page: Page, address: str, tenant: int) -> None:
    drawing = new_menu(page, address, "Shared", "A greeting and a choice")
    other = page.context.new_page()
    other.goto(page.url)
    theirs = Drawing(other)
    theirs.choose("say_1")
    theirs.panel.get_by_label("What is said").fill("Theirs")
    theirs.saved()
    drawing.choose("say_1")
    drawing.panel.get_by_label("What is said").fill("Mine")
    page.get_by_role("button", name="Keep mine as a copy").click()
    expect(page.get_by_role("heading", name=re.compile(r"Shared \(mine"))).to_be_visible()
    expect(drawing.node("say_1")).to_contain_text("Mine")
    assert stored(tenant, "Shared").draft["nodes"][0]["settings"]["text"] == {"any": "Theirs"}


@pytest.mark.parametrize(("locale", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_axe_finds_nothing_serious_on_the_pages_of_menus(
    chromium: Any, address: str, tenant: int, locale: str, theme: str
) -> None:
    context = chromium.new_context(viewport=SIZE, locale="en-US", color_scheme=theme)
    page = context.new_page()
    sign_in(page, address, "acme", "boss", PASSWORD)
    new_menu(page, address, "Axe", "A greeting and a choice")
    if locale == "zh-CN":
        page.get_by_role("button", name="Language", exact=True).first.click()
        page.get_by_role("menuitem", name="简体中文").click()
        expect(page.get_by_role("button", name="语言").first).to_be_visible()
    here = page.url
    found = []
    for path, wait_for in (
        (f"{address}/flows", "table"),
        (here, ".vue-flow__node"),
        (f"{here}?panel=versions", ".versions .empty"),
        (f"{here}?panel=try", ".try"),
        (f"{here}/compare/0/0", ".vue-flow__node"),
    ):
        page.goto(path)
        page.locator(wait_for).first.wait_for()
        page.wait_for_load_state("networkidle")
        if path == here:
            page.locator('.vue-flow__node[data-id="menu_1"] header').click()
            page.locator(".fields").wait_for()
        found += [(path, fault) for fault in faults(page)]
    context.close()
    assert found == []
