"""Programs that tests run in containers of the file, and on the machine as its users do."""

from typing import Final

ASKING: Final = """
import sys
from openai import OpenAI

client = OpenAI(base_url="https://localhost:8443/v1", api_key=sys.argv[1], timeout=120)
message = {"role": "user", "content": "Bonjour"}
parts = client.chat.completions.create(
    model="tiny-eu", messages=[message], stream=True, stream_options={"include_usage": True}
)
print([part.usage.completion_tokens for part in parts if part.usage][-1])
"""
COUNTING: Final = """
import ssl
import sys
import time
import urllib.request
from pathlib import Path

password = Path("/etc/comptoir/secrets/clickhouse-password").read_text().strip()
context = ssl.create_default_context(cafile="/etc/comptoir/tls/ca.crt")
headers = {"X-ClickHouse-User": "comptoir_writer", "X-ClickHouse-Key": password}
query = b"SELECT count(), sum(output_tokens) FROM comptoir.generations FORMAT TSV"
request = urllib.request.Request("https://clickhouse:8443/", data=query, headers=headers)
deadline = time.monotonic() + float(sys.argv[1])
while True:
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        said = answer.read().decode().split()
    if said[0] != "0" or time.monotonic() > deadline:
        break
    time.sleep(0.5)
print(*said)
"""
SCRAPED: Final = """
import json
import ssl
import sys
import time
import urllib.parse
import urllib.request

tls = "/etc/comptoir/tls/"
context = ssl.create_default_context(cafile=tls + "ca.crt")
context.load_cert_chain(tls + "tls.crt", tls + "tls.key")
wanted = '{job="otel-collector", __name__=~"otelcol_receiver_accepted_.+"} > 0'
url = "https://prometheus:9090/api/v1/query?" + urllib.parse.urlencode({"query": wanted})
deadline = time.monotonic() + float(sys.argv[1])
while True:
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        found = {it["metric"]["__name__"] for it in json.load(answer)["data"]["result"]}
    if len(found) >= 2 or time.monotonic() > deadline:
        break
    time.sleep(0.5)
print(*sorted(found))
"""
# As a browser does with a link, until the page has what the store counted; what it shows without its markup.
LOOKING: Final = """
import html
import os
import re
import ssl
import sys
import time

import httpx

url, _, token = sys.argv[1].partition("/#")
deadline = time.monotonic() + float(sys.argv[2])
headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
believed = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
with httpx.Client(base_url=url, headers=headers, verify=believed, timeout=60, trust_env=False) as browser:
    assert browser.get("/").headers["location"] == "/sign-in"
    signed = browser.post("/sign-in", json={"token": token})
    assert signed.is_success, signed.text
    assert "Secure" in signed.headers["set-cookie"]
    assert browser.post("/sign-in", json={"token": token}).status_code == 403
    while True:
        page = browser.get("/")
        assert page.is_success, page.status_code
        shown = " ".join(html.unescape(re.sub("<[^>]+>", " ", page.text)).split())
        if all(word in shown for word in sys.argv[3:]) or time.monotonic() > deadline:
            break
        time.sleep(1)
print(shown)
"""
REACHING: Final = """
import socket
import sys

for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        print(place, "reached")
    except OSError:
        print(place, "closed")
"""
