"""The command line: everything a person does from a terminal, by its name."""

import sys

from deploy.local.stack.errors import StackError
from services.cli.commands.apply import apply
from services.cli.commands.audit import audit
from services.cli.commands.bench import bench
from services.cli.commands.chat import chat
from services.cli.commands.console import console
from services.cli.commands.doctor import doctor
from services.cli.commands.kafka import kafka
from services.cli.commands.keys import keys
from services.cli.commands.languages import languages
from services.cli.commands.models import models
from services.cli.commands.plan import plan
from services.cli.commands.replicas import replicas
from services.cli.commands.report import report
from services.cli.commands.request import request
from services.cli.commands.secrets import secrets
from services.cli.commands.stack import down, logs, status
from services.cli.commands.tenants import tenants
from services.cli.commands.transfer import transfer
from services.cli.commands.up import up
from services.cli.commands.version import options_of_all
from services.cli.operator_tls import AdminCommands

app = AdminCommands(
    name="comptoir",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="EU-resident LLM inference that counts tokens and keeps no text.",
)
app.callback(invoke_without_command=True)(options_of_all)
for command in (up, status, console, doctor, logs, down, chat, apply, audit, plan, languages, request):
    app.command()(command)
for name, group in (
    ("bench", bench),
    ("keys", keys),
    ("tenants", tenants),
    ("models", models),
    ("replicas", replicas),
    ("kafka", kafka),
    ("report", report),
    ("secrets", secrets),
    ("transfer", transfer),
):
    app.add_typer(group, name=name)


def run() -> None:
    """Runs the command line; a problem becomes one sentence on standard error and exit status 1."""
    try:
        app()
    except StackError as error:
        sys.stderr.write(f"comptoir: {error}\n")
        sys.exit(1)
