"""The page for people holds nothing that a browser would fetch or run, and its style is the one permitted."""

import base64
import hashlib
import re

from services.edge.domain.welcome import WELCOME_HEADERS, WELCOME_PAGE

PAGE = WELCOME_PAGE.decode()
POLICY = dict(WELCOME_HEADERS)[b"content-security-policy"].decode()


def test_the_page_runs_no_script_and_fetches_nothing() -> None:
    assert "<script" not in PAGE
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"", PAGE) == ["/v1/models", "/openapi.json", "/readyz"]
    assert POLICY.startswith("default-src 'none';")


def test_the_style_is_the_one_that_the_policy_permits() -> None:
    (style,) = re.findall(r"<style>(.*)</style>", PAGE)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
