"""Settings and adapters become the use cases of the service.

Each use case is made, and its code is imported, when it is first used: a function of Lambda pays at a cold start only
for what it does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from chalicelib.config import Settings
from chalicelib.hosting.adapters import Adapters
from chalicelib.hosting.on_first_use import on_first_use
from chalicelib.hosting.running import Running

if TYPE_CHECKING:
    from chalicelib.language import Operations
    from chalicelib.service.batches.operator import BatchOperator
    from chalicelib.service.definitions.delete import DefinitionDeleter
    from chalicelib.service.details.activations import Activations
    from chalicelib.service.details.activity import ActivityReader
    from chalicelib.service.details.definitions import DefinitionDetails
    from chalicelib.service.details.items import Items
    from chalicelib.service.details.run_details import RunDetailReader
    from chalicelib.service.details.timers import Timers
    from chalicelib.service.details.traffic import TrafficReader
    from chalicelib.service.doctor.examine import Doctor
    from chalicelib.service.documents.submit import Submitter
    from chalicelib.service.holds.commands import HoldOperator
    from chalicelib.service.hooks.notify import HookNotifier
    from chalicelib.service.inbox import Inbox
    from chalicelib.service.schedules.commands import ScheduleOperator
    from chalicelib.service.security.rate_limits import Rates
    from chalicelib.service.security.task_links import TaskLinks
    from chalicelib.service.security.tokens import Tokens


class Services(Running):
    """The use cases, ready to be called."""

    def forget_cached(self) -> None:
        """Read again what is kept in memory for a while: another process has changed some of it."""
        made = vars(self)
        if "definition_cache" in made:
            self.definition_cache.forget_newest()
        if "hold_book" in made:
            self.hold_book.forget()
        if "hook_book" in made:
            self.hook_book.forget_all()
        if "secrets" in made:
            self.secrets.forget()
        if "tokens" in made:
            self.tokens.forget()

    @on_first_use
    def schedules(self) -> ScheduleOperator:
        """The use case that executes commands on schedules."""
        from chalicelib.service.schedules.commands import ScheduleOperator

        adapters = self.adapters
        return ScheduleOperator(adapters.store, self.scheduler, self.slot_starter, adapters.clock)

    @on_first_use
    def definition_deleter(self) -> DefinitionDeleter:
        """The use case that deletes definitions."""
        from chalicelib.service.definitions.delete import DefinitionDeleter

        adapters = self.adapters
        return DefinitionDeleter(
            adapters.store, self.runs, self.definition_cache, self.scheduler.forget, self.hook_book
        )

    @on_first_use
    def doctor(self) -> Doctor:
        """The use case that finds what does not go on."""
        from chalicelib.service.doctor.examine import Doctor
        from chalicelib.service.doctor.hold_checks import HoldChecks
        from chalicelib.service.doctor.schedule_checks import ScheduleChecks

        adapters = self.adapters
        return Doctor(
            self.runs,
            adapters.store.tasks,
            adapters.queue,
            adapters.queue,
            self.definition_cache,
            ScheduleChecks(adapters.store, adapters.clock),
            HoldChecks(self.hold_book, adapters.store.batches, adapters.clock),
            self.hook_book,
            self.hook_log,
            adapters.clock,
        )

    @on_first_use
    def inbox(self) -> Inbox:
        """The use case that lists tasks."""
        from chalicelib.service.inbox import Inbox

        adapters = self.adapters
        return Inbox(self.runs, adapters.store.tasks, self.definition_cache, adapters.clock)

    @on_first_use
    def tokens(self) -> Tokens:
        """The use case that checks and keeps tokens."""
        from chalicelib.service.security.tokens import Tokens

        settings, adapters = self.settings, self.adapters
        return Tokens(
            adapters.store.versioned_values,
            adapters.clock,
            adapters.ids,
            settings.namespace,
            settings.admin_token_sha256,
        )

    @on_first_use
    def task_links(self) -> TaskLinks:
        """The use case that signs links to tasks."""
        from chalicelib.service.security.task_links import TaskLinks

        adapters = self.adapters
        return TaskLinks(adapters.store.versioned_values, self.webhook_key, adapters.clock, adapters.ids)

    @on_first_use
    def rates(self) -> Rates:
        """How many calls each caller may make."""
        from chalicelib.service.security.rate_limits import Rates

        adapters = self.adapters
        return Rates(adapters.clock, adapters.call_times)

    @on_first_use
    def batches(self) -> BatchOperator:
        """The use case that starts and shows batches."""
        from chalicelib.service.batches.operator import BatchOperator

        adapters = self.adapters
        return BatchOperator(
            adapters.store.batches,
            self.collector,
            self.batch_worker,
            self.secrets,
            adapters.queue,
            adapters.clock,
            adapters.ids,
        )

    @on_first_use
    def holds(self) -> HoldOperator:
        """The use case that pauses actions and flows."""
        from chalicelib.service.holds.commands import HoldOperator

        adapters = self.adapters
        return HoldOperator(self.hold_book, adapters.store.definitions, adapters.queue, adapters.clock)

    @on_first_use
    def hook_notifier(self) -> HookNotifier:
        """The use case that delivers to hooks."""
        from chalicelib.service.hooks.notify import HookNotifier

        adapters = self.adapters
        return HookNotifier(
            self.hook_book, adapters.caller, self.hook_log, self.webhook_key, adapters.clock, adapters.ids
        )

    @on_first_use
    def activations(self) -> Activations:
        """The use case that shows what was sent and what came back."""
        from chalicelib.service.details.activations import Activations

        return Activations(self.runs, self.adapters.store.deliveries, self.definition_cache)

    @on_first_use
    def items(self) -> Items:
        """The use case that lists the items of eaches."""
        from chalicelib.service.details.items import Items

        return Items(self.runs, self.definition_cache)

    @on_first_use
    def run_details(self) -> RunDetailReader:
        """The use case that shows what one run waits for, its children and its cost."""
        from chalicelib.service.details.run_details import RunDetailReader
        from chalicelib.service.observability.prices import X86, prices_on

        settings = self.settings
        return RunDetailReader(
            self.adapters.store.runs,
            self.limiter,
            by_rest=settings.answered_by_rest,
            prices=prices_on(os.uname().machine if settings.on_lambda else X86),
        )

    @on_first_use
    def activity(self) -> ActivityReader:
        """The use case that counts activations of actions."""
        from chalicelib.service.details.activity import ActivityReader

        return ActivityReader(self.runs, self.definition_cache, self.limiter)

    @on_first_use
    def traffic(self) -> TrafficReader:
        """The use case that counts what the runs of a flow did."""
        from chalicelib.service.details.traffic import TrafficReader

        return TrafficReader(self.runs)

    @on_first_use
    def definition_details(self) -> DefinitionDetails:
        """The use case that shows versions of definitions."""
        from chalicelib.service.details.definitions import DefinitionDetails

        return DefinitionDetails(self.adapters.store.definitions)

    @on_first_use
    def timer_list(self) -> Timers:
        """The use case that lists timers."""
        from chalicelib.service.details.timers import Timers

        store = self.adapters.store
        return Timers(store.runs, store.schedules, self.definition_cache)

    @on_first_use
    def submitter(self) -> Submitter:
        """The use case that submits FSL."""
        from chalicelib.service.documents.submit import Submitter

        adapters = self.adapters
        return Submitter(
            adapters.store,
            self.runs,
            self.definition_cache,
            self.advancer,
            self.factory,
            self.scheduler,
            self.secrets,
            self.hook_book,
            self.stuck_watch,
            adapters.clock,
            adapters.ids,
            adapters.operations,
            adapters.address_problem,
        )

    @on_first_use
    def known_operations(self) -> Operations:
        """All operations of AWS, also those that actions may not call here."""
        from chalicelib.adapters.operations import ALL_OPERATIONS

        return ALL_OPERATIONS(self.settings.namespace)


def assemble(settings: Settings, adapters: Adapters) -> Services:
    """Return the use cases on these adapters."""
    return Services(settings, adapters)
