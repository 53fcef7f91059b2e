"""The head of a page that is one file: it runs no script and loads nothing but the pictures inside of it."""

from __future__ import annotations

import base64
import hashlib
from html import escape


def head(title: str, style: str) -> bytes:
    """Return everything up to the beginning of the body.

    Args:
        title: Of the window; words of data are shown as text.
        style: The only style sheet that the browser takes; no element has a style of its own.
    """
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    ).encode()
