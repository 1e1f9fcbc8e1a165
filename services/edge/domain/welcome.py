"""The page at `/` for people: what this is, the base URL, the models, where the documentation is."""

import base64
import hashlib
from typing import Final

# A page of one file: no script, nothing from elsewhere, and readable where the style is dropped.
_STYLE: Final = (
    "body{max-width:42rem;margin:3rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}"
    "pre{overflow-x:auto;padding:.75rem;border:1px solid}"
)
WELCOME_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Comptoir</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Comptoir</h1>
<p>EU-resident LLM inference that counts tokens and keeps no text. Clients written for OpenAI's API work
with another base URL and key.</p>
<h2>Base URL</h2>
<p>The address of this page with <code>/v1</code> behind it. The operator gives you a key.</p>
<pre>curl "$BASE_URL/chat/completions" \\
  -H "Authorization: Bearer $API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "…", "messages": [{{"role": "user", "content": "Salut"}}]}}'</pre>
<h2>Models</h2>
<p><a href="/v1/models">/v1/models</a> lists those that your key may use. It asks for the key in the header
<code>Authorization</code>, so a browser alone is refused.</p>
<h2>Documentation</h2>
<ul>
<li><a href="/openapi.json">/openapi.json</a> describes every endpoint, parameter and error.</li>
<li><code>docs/openai-compatibility.md</code> in the distribution says what is served, refused and ignored,
and why.</li>
<li><a href="/readyz">/readyz</a> says whether requests are taken at this moment.</li>
</ul>
</main>
</body>
</html>
""".encode()

_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest())
WELCOME_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'sha256-%b'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'" % _STYLE_DIGEST,
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
