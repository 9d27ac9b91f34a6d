"""QR codes as SVG images."""

from __future__ import annotations

import io

import segno


def svg(text: str) -> str:
    """`text` as a QR code: dark on white with its quiet zone, whatever the page's colours are."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", xmldecl=False, scale=4, border=4, light="#fff")
    return out.getvalue().decode()
