"""`/problems`: each problem and each code of an error, explained."""

import inspect
import re
from html import escape

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ProblemShown, family


def problems_page() -> str:
    """Return the content of the page."""
    entries = "".join(
        f'<h2 id="{kind.code}"><code>{kind.code}</code> · {kind.status} {escape(kind.title)}</h2>'
        f"<p>{_words(inspect.cleandoc(kind.__doc__ or ''))}</p>"
        for kind in family()
    )
    errors = "".join(f'<p id="{code}"><code>{code}</code> {_words(text)}</p>' for code, text in ERROR_DETAILS.items())
    fields = "".join(
        f"<p><code>{name}</code> {_words(entry.description or '')}</p>"
        for name, entry in ProblemShown.model_fields.items()
    )
    intro = "<p>Errors are <code>application/problem+json</code> (RFC 9457) with these members:</p>"
    heading = "<h2>Codes of single errors</h2><p>The values of <code>errors[].code</code>:</p>"
    return f"<h1>Problems</h1>{intro}{fields}{entries}{heading}{errors}"


def _words(text: str) -> str:
    """Return a text as HTML. Words in backquotes become code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
