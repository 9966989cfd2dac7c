"""Count, simulate, and write the tables of bench/SCALE.md: `python -m bench.scale`."""

import logging
import time

import click

from bench.scale import report
from bench.scale.stories import record


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--counted", is_flag=True, help="only what is counted, in some seconds")
def main(*, counted: bool) -> None:
    """Write the tables of bench/SCALE.md anew. They are the same each time: nothing in them is timed."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    stories = record()
    made = report.counted(stories) | ({} if counted else report.simulated(stories))
    report.write(made)
    for name, body in made.items():
        click.echo(f"{name}\n\n{body}")
    click.echo(f"written to {report.PAGE.name} in {time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
