#!/usr/bin/env python
"""As PostgreSQL's image begins: a cluster whose user has the password of the file, then the server.

The wheel's server has no TLS, so that is in front of it, and what its configuration says of TLS is kept here.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.compose.stand_ins.tls_front import serve

DATA = Path("/var/lib/postgresql/data/pgdata")
BIN = "/opt/postgres/pgserver/pginstall/bin"

user, password = os.environ["POSTGRES_USER"], os.environ["POSTGRES_PASSWORD_FILE"]
if not DATA.exists():
    given = [f"--username={user}", f"--pwfile={password}", *os.environ["POSTGRES_INITDB_ARGS"].split()]
    subprocess.run([f"{BIN}/initdb", f"--pgdata={DATA}", "--encoding=UTF8", "--locale=C", *given], check=True)
    single = [f"{BIN}/postgres", "--single", "-D", str(DATA), "postgres"]
    subprocess.run(single, input=f"CREATE DATABASE {os.environ['POSTGRES_DB']}\n", text=True, check=True)
_, name, *words = sys.argv
assert name == "postgres"
said = dict(word.split("=", 1) for word in words if word != "-c")
assert said["ssl"] == "on"
assert os.stat(said["ssl_key_file"]).st_mode & 0o077 == 0
rules = Path(said["hba_file"]).read_text()
plain = DATA / "plain_hba.conf"
plain.write_text(rules.replace("hostssl", "host"))
settings = {
    "hba_file": str(plain),
    "listen_addresses": "127.0.0.1",
    "port": "5433",
    "unix_socket_directories": "/var/run/postgresql",
}
options = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
command = [f"{BIN}/postgres", "-D", str(DATA), *options]
sys.exit(asyncio.run(serve(command, 5432, 5433, asks_certificate=False, is_postgres=True)))
