from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.sqlite.receivers import Receivers
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.system import SystemClock
from chalicelib.config import Durability, Settings
from chalicelib.hosting import adapters_for
from chalicelib.service.errors import Busy, ServiceError
from chalicelib.service.ports.queues import QueueName
from tests.adapters.queue_contract import MAX_RECEIVES, VISIBILITY, Bench, QueueContract
from tests.adapters.samples import a_delivery, a_run, after, new
from tests.adapters.store_contract import StoreContract
from tests.fakes import FakeClock


@pytest.fixture(params=["file", MEMORY])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database.open(MEMORY if request.param == MEMORY else tmp_path / "echoer.db")
    yield database
    database.close()


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqliteStore:
        return SqliteStore(database)


class TestSqliteQueue(QueueContract):
    @pytest.fixture
    def bench(self, database: Database) -> Bench:
        clock = FakeClock()
        return Bench(SqliteQueue(database, clock, VISIBILITY, MAX_RECEIVES), clock.advance, clock.now)

    def test_release_all_gives_back_what_was_out(self, bench: Bench, database: Database) -> None:
        bench.queue.send(QueueName.WAKES, ["out"])
        bench.queue.send(QueueName.WAKES, ["delayed"], delay=1_000)
        assert bench.bodies(QueueName.WAKES) == ["out"]
        SqliteQueue(database, FakeClock()).release_all()
        assert bench.bodies(QueueName.WAKES) == ["out"]


def test_processes_take_turns(tmp_path: Path) -> None:
    """Two processes write to one file for a while. None finds it busy, and nothing is lost."""
    turns, path = tmp_path / "turns", tmp_path / "echoer.db"
    turns.touch()
    database = Database.open(path)
    database.change("CREATE TABLE counts (count INTEGER)")
    database.change("INSERT INTO counts VALUES (0)")
    program = (
        "import os, sys\n"
        "from chalicelib.adapters.sqlite.database import Database\n"
        "database = Database.open(sys.argv[1], turns=os.open(sys.argv[2], os.O_RDWR))\n"
        "database.writer.execute('PRAGMA busy_timeout = 0')\n"
        "for _ in range(500):\n"
        "    database.change('UPDATE counts SET count = count + 1')\n"
        "    with database.transaction() as connection:\n"
        "        count = connection.execute('SELECT count FROM counts').fetchone()[0]\n"
        "        connection.execute('UPDATE counts SET count = ?', (count + 1,))\n"
        "    database.check()\n"
    )
    command = [sys.executable, "-c", program, str(path), str(turns)]
    both = [subprocess.Popen(command) for _ in range(2)]  # noqa: S603 - our own program
    assert [one.wait(60) for one in both] == [0, 0]
    assert database.rows("SELECT count FROM counts") == [(2_000,)]
    database.close()


def test_an_idle_receiver_wakes_when_a_delayed_message_comes_due(database: Database) -> None:
    queue = SqliteQueue(database, SystemClock())
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(queue.receive, QueueName.WAKES, 1, 5) for _ in range(2)]
        queue.send(QueueName.WAKES, ["one"], delay=30)
        queue.send(QueueName.WAKES, ["other"], delay=60)
        assert sorted(future.result(timeout=2)[0].body for future in waiting) == ["one", "other"]


def test_a_receiver_that_knows_of_no_message_wakes_when_another_one_finds_it_before_its_sender_notes_it() -> None:
    receivers = Receivers()
    _, changes = receivers.look()
    receivers.looked(None, changes)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receivers.wait, None, 30, None)
        while receivers._keeper is None:
            pass
        receivers.looked(1_000, changes)
        assert waiting.result(timeout=10) is None
    assert receivers.look() == (1_000, changes)


def test_a_delivery_is_written_with_the_deletion_of_its_message(database: Database) -> None:
    """Neither costs a commit of its own: the next one stores them. Who reads a delivery does not miss it before."""
    store, queue, run = SqliteStore(database), SqliteQueue(database, FakeClock()), a_run()
    queue.send(QueueName.DELIVERIES, ["a", "b"])
    statements: list[str] = []
    for body in ("a", "b"):
        (message,) = queue.receive(QueueName.DELIVERIES, 1, 0)
        database._writer.set_trace_callback(statements.append)
        store.deliveries.put(run, a_delivery(body))
        queue.delete(QueueName.DELIVERIES, [message.receipt])
        assert statements == []
        queue.send(QueueName.WAKES, ["next"])
        database._writer.set_trace_callback(None)
        assert [text.split()[0] for text in statements] == ["BEGIN", "INSERT", "DELETE", "INSERT", "COMMIT"]
        statements.clear()
    assert database.rows("SELECT uuid FROM deliveries ORDER BY uuid") == [("a",), ("b",)]
    store.deliveries.put(run, a_delivery("c"))
    assert list(store.deliveries.of(run, "c", 9)) == [a_delivery("c")]


def test_postponed_statements_wait_for_a_transaction_that_commits(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "echoer.db")
    store, run = SqliteStore(database), a_run()
    store.deliveries.put(run, a_delivery("a"))
    with pytest.raises(ZeroDivisionError), database.transaction():
        raise ZeroDivisionError
    assert database.rows("SELECT uuid FROM deliveries") == []
    for number in range(300):
        store.deliveries.put(run, a_delivery(f"u{number:03}"))
    assert len(database.rows("SELECT uuid FROM deliveries")) >= 200
    database.close()
    database = Database.open(tmp_path / "echoer.db")
    assert len(database.rows("SELECT uuid FROM deliveries")) == 301
    database.close()


def test_postponed_statements_that_fail_are_dropped(database: Database) -> None:
    SqliteQueue(database, FakeClock()).send(QueueName.WAKES, ["kept"])
    database.change_later("INSERT INTO nothing VALUES (1)")
    SqliteStore(database).deliveries.put(a_run(), a_delivery("a"))
    with database.transaction() as connection:
        connection.execute("UPDATE messages SET body = 'changed'")
    assert database.rows("SELECT body FROM messages") == [("changed",)]
    assert database.rows("SELECT uuid FROM deliveries") == []
    SqliteStore(database).deliveries.put(a_run(), a_delivery("b"))
    database.flush()
    assert database.rows("SELECT uuid FROM deliveries") == [("b",)]


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "echoer.db"
    database = Database.open(path, full_sync=True)
    SqliteStore(database).runs.create(new(a_run()))
    SqliteQueue(database, FakeClock()).send(QueueName.WAKES, ["kept"])
    database.close()
    database = Database.open(path)
    assert SqliteStore(database).runs.load("ns", "r1") == a_run()
    assert SqliteQueue(database, FakeClock()).receive(QueueName.WAKES, 1, 0)[0].body == "kept"
    database.close()


@pytest.mark.parametrize(("durability", "synchronous"), [(Durability.PROCESS, 1), (Durability.POWER, 2)])
def test_a_commit_waits_for_the_disk_if_the_settings_say_so(
    tmp_path: Path, durability: Durability, synchronous: int
) -> None:
    adapters = adapters_for(Settings(db=tmp_path / "echoer.db", durability=durability))
    assert isinstance(adapters.store, SqliteStore)
    database = adapters.store.runs._database
    assert database.rows("PRAGMA synchronous") == [(synchronous,)]
    with database.transaction() as writer:
        assert writer.execute("PRAGMA synchronous").fetchall() == [(synchronous,)]
    adapters.close()


def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    program = (
        "import os, signal\n"
        "from chalicelib.adapters.sqlite.database import Database\n"
        "from chalicelib.adapters.sqlite.store import SqliteStore\n"
        "from tests.adapters.samples import a_run, after, new\n"
        f"store = SqliteStore(Database.open({str(path)!r}))\n"
        "store.runs.create(new(a_run()))\n"
        "store.runs.save(after(a_run()), seen=1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603 - our own text
    database = Database.open(path)
    assert SqliteStore(database).runs.load("ns", "r1") == after(a_run())
    database.close()


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    database = Database.open(path)
    with pytest.raises(Busy, match=f"another server uses {path}"):
        Database.open(path)
    database.close()
    Database.open(path).close()


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    path.write_text("This is not a database. " * 100)
    with pytest.raises(ServiceError, match=f"cannot open {path}: file is not a database"):
        Database.open(path)
    path.unlink()
    Database.open(path).close()


def test_errors_of_sqlite_are_logged_and_not_returned(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Busy, match=r"^the store is unavailable; try again later$"):
        database.rows("SELECT secret FROM nowhere")
    assert "no such table: nowhere" in caplog.text


def test_a_reader_keeps_its_connection_when_the_database_is_closed(tmp_path: Path) -> None:
    """Closing a connection under its reader would crash the process."""
    database = Database.open(tmp_path / "e.db")
    reader = database._borrow()
    with ThreadPoolExecutor(1) as pool:
        closed = pool.submit(database.close)
        assert reader.execute("SELECT 1").fetchall() == [(1,)]
        database._idle.append(reader)
        closed.result()
    with pytest.raises(ServiceError):
        database.rows("SELECT 1")
    Database.open(tmp_path / "e.db").close()
