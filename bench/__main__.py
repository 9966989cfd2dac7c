"""Run the benchmark: `python -m bench [PART ...]`. Without a part: all, in order."""

import importlib
import time
from typing import cast

import click

from bench import report

PARTS = ("machine", "bill", "price", "engine", "growth")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--seconds", default=5.0, show_default=True, help="how long one timed figure is measured")
def main(parts: tuple[str, ...], seconds: float) -> None:
    """Measure PARTS (all without one) and write their sections into bench/RESULTS.md.

    machine: one machine, beside its peers. bill: CPU and memory of the Lambda functions. price: what a million costs.
    engine: decisions, the language, expressions. growth: cost per transition as runs and the store grow.
    """
    for name in parts or PARTS:
        part = cast(report.Part, importlib.import_module(f"bench.parts.{name}"))
        click.echo(f"{name}: {part.TITLE} ...", err=True)
        began = time.monotonic()
        body = part.measure(seconds)
        written = report.section(part.TITLE, body, time.monotonic() - began)
        report.write({name: written}, PARTS)
        click.echo(written)


if __name__ == "__main__":
    main()
