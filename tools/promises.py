"""`make promises`: the promises of the product and the tests that prove them, read from the tests' marks."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def promised(tests: Path) -> dict[str, list[str]]:
    """Row code → names of the tests that carry it."""
    rows: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("mark.promise"):
                    for argument in mark.args:
                        rows[ast.literal_eval(argument)].append(f"{path.relative_to(ROOT)}::{node.name}")
    return rows


def main() -> None:
    """Print them, row by row."""
    rows = promised(ROOT / "tests")
    for row in sorted(rows, key=lambda r: (r[0], int(r[1:]))):
        print(f"{row}  {len(rows[row])} tests")
        for test in rows[row]:
            print(f"      {test}")


if __name__ == "__main__":
    main()
