"""One run of a stack: check, start, tell, watch, drain."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.local.stack.child import Child
from deploy.local.stack.config import (
    build_config,
    generator_configs,
    router_configs,
    without_unknown_embedder,
)
from deploy.local.stack.first_key import ensure_first_key
from deploy.local.stack.generators import generative_models, planned_generators
from deploy.local.stack.jars import fetch_jars
from deploy.local.stack.leftovers import clear_leftovers
from deploy.local.stack.models import name_and_context
from deploy.local.stack.options import CONSOLE, Addresses, StackOptions, router_name
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import build_plan
from deploy.local.stack.preconditions import check_ports, prepare_folder
from deploy.local.stack.private_files import replace_private
from deploy.local.stack.secret_files import create_secrets
from deploy.local.stack.settings_check import check_settings, is_worth_checking
from deploy.local.stack.state import ProcessState, StackState, take_lock, write_state
from deploy.local.stack.supervisor import Supervisor
from services.kernel.clock import SystemClock
from services.runtime.parts import first_of
from services.runtime.stop import stop_event


@dataclass(frozen=True, slots=True)
class Observer:
    """Who is told: each step by name, title and state; once, that all is ready, with the fresh key."""

    on_step: Callable[[str, str, str], None]
    on_ready: Callable[[StackState, str | None], None]


class StackRun:
    """A stack in one data folder, from the first check to the last drained process."""

    def __init__(self, options: StackOptions, environment: Mapping[str, str], observer: Observer) -> None:
        self._options = options
        self._environment = environment
        self._observer = observer
        self._paths = DataPaths(options.data_dir)
        self._addresses = Addresses(options.port, options.kafka, options.clickhouse)

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT; raises StackError, with nothing left running, if it cannot start."""
        prepare_folder(self._paths)
        lock = take_lock(self._paths)
        try:
            await clear_leftovers(self._paths)
            await self._run_locked()
        finally:
            os.close(lock)

    async def _run_locked(self) -> None:
        check_ports(self._options)
        document = build_config(self._options, self._addresses, self._paths)
        options = without_unknown_embedder(self._options, document)
        create_secrets(self._paths)
        replace_private(self._paths.config, yaml.safe_dump(document, sort_keys=False))
        for make in (router_configs, generator_configs):
            for name, own in make(options, self._addresses, self._paths).items():
                replace_private(self._paths.config_of(name), yaml.safe_dump(own, sort_keys=False))
        self._state = self._first_state(options, document)
        plan = build_plan(options, self._addresses, self._paths)
        if is_worth_checking(self._options, self._environment):
            await check_settings(plan, self._options, self._environment)
        supervisor = Supervisor(plan, self._paths.logs, self._environment, self._changed, SystemClock())
        self._children = supervisor.children
        stopped = stop_event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stopped.set)
        try:
            await first_of(stopped.wait(), self._start(supervisor))
            if not stopped.is_set():
                api_key = await ensure_first_key(self._paths)
                self._set_phase("ready")
                with contextlib.suppress(OSError):
                    self._observer.on_ready(self._state, api_key)
                await first_of(stopped.wait(), supervisor.run())
        finally:
            self._set_phase("draining")
            kill_now = asyncio.Event()
            # A second Ctrl-C kills what still drains; acknowledged events are durable.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, kill_now.set)
            await supervisor.stop(kill_now)
            self._set_phase("stopped")

    async def _start(self, supervisor: Supervisor) -> None:
        """Starts all processes; the jars come meanwhile, and only the broker waits for them."""
        await supervisor.start(before={} if self._options.kafka else {"kafka": self._fetch_jars})

    async def _fetch_jars(self) -> None:
        def on_progress(state: str) -> None:
            self._step("jars", "jars of Kafka", state)

        await fetch_jars(self._paths.config, self._environment, on_progress)

    def _first_state(self, options: StackOptions, document: dict[str, Any]) -> StackState:
        addresses = self._addresses
        further = [each.name for each in planned_generators(options) if not each.is_first]
        routers = range(2, options.routers + 1)
        consoles = [CONSOLE] if options.console else []
        return StackState(
            supervisor_pid=os.getpid(),
            phase="starting",
            base_url=addresses.base_url,
            clickhouse_url=addresses.clickhouse_url,
            kafka=addresses.kafka,
            grpc={
                "router": addresses.router,
                "generator": addresses.generator,
                "emitter": f"unix:{self._paths.emitter_socket}",
                "replicas": f"unix:{self._paths.replica_socket}",
                "usage": addresses.usage,
                "admin": f"unix:{self._paths.admin_socket}",
                **{name: addresses.generator_at(name) for name in further},
                **{router_name(number): addresses.router_at(number) for number in routers},
            },
            model=str(document["generator"]["model"]),
            data_dir=str(self._paths.root),
            models=[name_and_context(model, options.engine)[0] for model in generative_models(options)],
            console=addresses.console if options.console else "",
            metrics=addresses.metrics([*map(router_name, routers), *further, *consoles]),
        )

    def _changed(self, child: Child) -> None:
        is_news = child.state in {"unready", "restarting"}
        said = f"{child.state}: {child.last_cause}" if is_news else child.state
        self._step(child.plan.name, child.plan.title, said)
        self._write()

    def _step(self, name: str, title: str, state: str) -> None:
        # A terminal that went away must not take the stack with it.
        with contextlib.suppress(OSError):
            self._observer.on_step(name, title, state)

    def _set_phase(self, phase: str) -> None:
        self._state.phase = phase
        self._write()

    def _write(self) -> None:
        self._state.processes = [
            ProcessState(
                child.plan.name,
                child.pid,
                child.state,
                child.restarts,
                since=child.since,
                why=child.why,
                last_cause=child.last_cause,
            )
            for child in self._children
        ]
        # On a full disk the stack goes on, and above all drains, without its description.
        with contextlib.suppress(OSError):
            write_state(self._paths, self._state)
