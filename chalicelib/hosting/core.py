"""What the use cases share: runs, definitions, secrets, limits, pauses and hooks, and the decisions of the engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chalicelib.config import Settings
from chalicelib.hosting.adapters import Adapters
from chalicelib.hosting.on_first_use import MadeOnFirstUse, on_first_use

if TYPE_CHECKING:
    from chalicelib.service.definitions.cache import DefinitionCache
    from chalicelib.service.holds.book import HoldBook
    from chalicelib.service.holds.gate import HoldGate
    from chalicelib.service.hooks.announce import HookAnnouncer
    from chalicelib.service.hooks.book import HookBook
    from chalicelib.service.hooks.delivery_log import DeliveryLog
    from chalicelib.service.limits.admissions import RoomCheck
    from chalicelib.service.limits.limiter import Limiter
    from chalicelib.service.ports.changes import Changes
    from chalicelib.service.runs.advance import RunAdvancer, TrialAdvancer
    from chalicelib.service.runs.effect_executor import EffectExecutor
    from chalicelib.service.runs.new_run import RunFactory
    from chalicelib.service.runs.offloading import OffloadingRunStore
    from chalicelib.service.security.secrets import Secrets


class Core(MadeOnFirstUse):
    """The parts that use cases share."""

    def __init__(self, settings: Settings, adapters: Adapters) -> None:
        super().__init__()
        self.settings = settings
        self.adapters = adapters

    @on_first_use
    def changes(self) -> Changes:
        """What notifies requests that wait for changes."""
        from chalicelib.adapters.changes import PolledChanges

        adapters = self.adapters
        return adapters.changes or PolledChanges(adapters.clock)

    @on_first_use
    def runs(self) -> OffloadingRunStore:
        """The runs, whose large values are stored apart."""
        from chalicelib.service.runs.offloading import OffloadingRunStore

        adapters = self.adapters
        return OffloadingRunStore(adapters.store.runs, adapters.changes)

    @on_first_use
    def definition_cache(self) -> DefinitionCache:
        """The definitions that this process has read."""
        from chalicelib.service.definitions.cache import DefinitionCache

        settings, adapters = self.settings, self.adapters
        return DefinitionCache(
            adapters.store,
            adapters.clock,
            settings.defaults,
            settings.definition_max_age,
            settings.max_steps,
            settings.keep,
        )

    @on_first_use
    def effect_executor(self) -> EffectExecutor:
        """Executes the effects of decisions."""
        from chalicelib.service.runs.effect_executor import EffectExecutor

        adapters = self.adapters
        return EffectExecutor(adapters.store, self.runs, adapters.queue, adapters.clock)

    @on_first_use
    def secrets(self) -> Secrets:
        """The use case that keeps secrets."""
        from chalicelib.service.security.secrets import Secrets

        adapters = self.adapters
        return Secrets(adapters.encryption, adapters.store.versioned_values, adapters.clock)

    @on_first_use
    def limiter(self) -> Limiter:
        """Gives and takes permits of limits."""
        from chalicelib.service.limits.limiter import Limiter

        adapters = self.adapters
        return Limiter(adapters.store, adapters.queue, adapters.clock, adapters.ids)

    @on_first_use
    def check_room(self) -> RoomCheck:
        """Looks whether a limit has room before a delivery is sent."""
        from chalicelib.service.limits.admissions import RoomCheck

        return RoomCheck(self.definition_cache, self.limiter)

    @on_first_use
    def hold_book(self) -> HoldBook:
        """What is paused."""
        from chalicelib.service.holds.book import HoldBook

        adapters = self.adapters
        return HoldBook(adapters.store.versioned_values, adapters.clock)

    @on_first_use
    def hold_gate(self) -> HoldGate:
        """Holds what is paused, and lets it go on."""
        from chalicelib.service.holds.gate import HoldGate

        adapters = self.adapters
        return HoldGate(self.hold_book, adapters.store.waiters, adapters.queue, self.definition_cache, adapters.clock)

    @on_first_use
    def hook_book(self) -> HookBook:
        """The hooks of a namespace."""
        from chalicelib.service.hooks.book import HookBook

        adapters = self.adapters
        return HookBook(adapters.store.definitions, adapters.clock)

    @on_first_use
    def hook_log(self) -> DeliveryLog:
        """What hooks received."""
        from chalicelib.service.hooks.delivery_log import DeliveryLog

        adapters = self.adapters
        return DeliveryLog(adapters.store.versioned_values)

    @on_first_use
    def announcer(self) -> HookAnnouncer:
        """Sends what hooks announce."""
        from chalicelib.service.hooks.announce import HookAnnouncer

        adapters = self.adapters
        return HookAnnouncer(self.runs, self.hook_book, adapters.queue, adapters.clock)

    @on_first_use
    def advancer(self) -> RunAdvancer:
        """Decides what an event means for a run, and commits it."""
        from chalicelib.service.runs.advance import RunAdvancer

        adapters = self.adapters
        return RunAdvancer(
            self.runs,
            self.effect_executor,
            self.definition_cache,
            self.secrets,
            adapters.clock,
            adapters.ids,
            self.check_room,
            adapters.observer,
            self.hook_book,
        )

    @on_first_use
    def trial_advancer(self) -> TrialAdvancer:
        """Decides as `advancer` does, and commits nothing."""
        from chalicelib.service.runs.advance import TrialAdvancer

        adapters = self.adapters
        return TrialAdvancer(
            self.runs,
            self.effect_executor,
            self.definition_cache,
            self.secrets,
            adapters.clock,
            adapters.ids,
            self.check_room,
        )

    @on_first_use
    def factory(self) -> RunFactory:
        """Makes new runs."""
        from chalicelib.service.runs.new_run import RunFactory

        adapters = self.adapters
        return RunFactory(self.secrets, self.hold_gate, adapters.clock, adapters.ids)

    @on_first_use
    def webhook_key(self) -> Callable[[], bytes]:
        """The key of signatures, read when it is needed."""
        return partial(webhook_key_of, self.settings)


def webhook_key_of(settings: Settings) -> bytes:
    """Return the webhook key. Where the settings only refer to it, each call reads it."""
    if settings.webhook_key_ref is None:
        return settings.webhook_key.encode()
    from chalicelib.adapters import secret_references

    return secret_references.read(settings.webhook_key_ref).encode()
