"""The files of the SQLite store: rights, locks, damage, and disks that take nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.adapters.encryption import key_in_file
from chalicelib.adapters.sqlite.database import MEMORY, Database
from chalicelib.adapters.sqlite.errors import ErrorTranslator
from chalicelib.adapters.sqlite.files import ALWAYS_CHECKED_BYTES, log_of
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.sqlite.migrations import MIGRATIONS
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.config import Settings
from chalicelib.hosting.backends import adapters_for
from chalicelib.service.errors import Busy, ServiceError
from chalicelib.service.ports.queues import QueueName
from tests.adapters.samples import a_run, after, new
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """New files are for everybody unless the code says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {found.name: stat.S_IMODE(found.stat().st_mode) for found in directory.iterdir()}


def contents(directory: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in directory.iterdir() if not found.name.endswith(".lock")}


def killed(path: Path, runs: int = 1) -> None:
    """Write so many runs in a process that is killed, so that its commits are in the write-ahead log."""
    program = (
        "import os, signal\n"
        "from chalicelib.adapters.sqlite.database import Database\n"
        "from chalicelib.adapters.sqlite.store import SqliteStore\n"
        "from tests.adapters.samples import a_run, new\n"
        f"store = SqliteStore(Database.open({str(path)!r}))\n"
        f"for number in range({runs}):\n"
        "    store.runs.create(new(a_run(name=f'killed{number}')))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603 - our own text
    assert ended.returncode == -signal.SIGKILL


def closed(path: Path, runs: int = 200) -> None:
    """Write so many runs and close the file."""
    with contextlib.closing(Database.open(path)) as database:
        for number in range(runs):
            SqliteStore(database).runs.create(new(a_run(name=f"r{number}")))


def overwrite(path: Path, begin: float, end: float) -> None:
    """Fill a part of the file, given in fractions of its size."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(begin * size))
        file.write(b"\xff" * int((end - begin) * size))


# ── who can read them ────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_owner_can_read_what_is_stored(tmp_path: Path) -> None:
    """All files, and the directories that are created for them."""
    path = tmp_path / "deep" / "er" / "echoer.db"
    adapters = adapters_for(Settings(db=path))
    adapters.encryption.encrypt("ns", "place", b"secret")
    adapters.store.runs.create(new(a_run()))
    names = {"echoer.db", "echoer.db-wal", "echoer.db-shm", "echoer.db.lock", "echoer.key"}
    assert modes(path.parent) == dict.fromkeys(names, 0o600)
    adapters.close()
    assert modes(tmp_path) == {"deep": 0o700}
    assert modes(tmp_path / "deep") == {"er": 0o700}


def test_a_directory_that_exists_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    closed(tmp_path / "echoer.db", 1)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_backup_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    Database.open(path).close()
    seen = list[int]()

    def look(_: sqlite3.Connection) -> None:
        seen.extend(modes(tmp_path).values())

    Database.open(path, migrations=[*MIGRATIONS, look]).close()
    assert (tmp_path / f"echoer.db.v{len(MIGRATIONS) + 1}.backup").exists()
    assert set(seen) | set(modes(tmp_path).values()) == {0o600}


def test_files_of_earlier_versions_are_taken_from_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, key = tmp_path / "echoer.db", tmp_path / "echoer.key"
    killed(path)
    text = key_in_file(key)
    for found in tmp_path.iterdir():
        found.chmod(0o644)
    with caplog.at_level("INFO"):
        Database.open(path).close()
    assert key_in_file(key) == text
    assert {modes(tmp_path)[name] for name in ("echoer.db", "echoer.key")} == {0o600}
    assert f"other users had rights to {path}, {path}-wal" in caplog.text


# ── who has them open ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    """A second server is refused under every name of the file, and both have the same key."""
    path, link, directory = tmp_path / "one" / "echoer.db", tmp_path / "link.db", tmp_path / "other"
    adapters = adapters_for(Settings(db=path))
    link.symlink_to(path)
    directory.symlink_to(path.parent)
    encrypted = adapters.encryption.encrypt("ns", "place", b"secret")
    for name in (link, directory / "echoer.db", Path(os.path.relpath(path)), path.parent / ".." / "one" / "echoer.db"):
        with pytest.raises(Busy, match=f"another server uses {path}"):
            Database.open(name)
    adapters.close()
    again = adapters_for(Settings(db=link))
    assert again.encryption.decrypt("ns", "place", encrypted) == b"secret"
    again.close()
    assert {found.name for found in tmp_path.iterdir()} == {"one", "link.db", "other"}


def test_a_key_beside_a_link_is_still_used(tmp_path: Path) -> None:
    """Earlier versions put the key beside the link."""
    path, link = tmp_path / "one" / "echoer.db", tmp_path / "link.db"
    closed(path, 1)
    link.symlink_to(path)
    text = key_in_file(link.with_suffix(".key"))
    adapters = adapters_for(Settings(db=link))
    encrypted = adapters.encryption.encrypt("ns", "place", b"secret")
    adapters.close()
    assert key_in_file(link.with_suffix(".key")) == text
    assert not path.with_suffix(".key").exists()
    assert "secret" not in encrypted


def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    """Each name would have a lock and a log of its own. Also while a server has it open."""
    path, other = tmp_path / "echoer.db", tmp_path / "other.db"
    database = Database.open(path)
    os.link(path, other)
    for name in (other, path):
        with pytest.raises(ServiceError, match=r"hard links|another server uses"):
            Database.open(name)
    database.close()
    other.unlink()
    Database.open(path).close()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "echoer.db")
    with pytest.raises(ServiceError, match="it is not a file"):
        Database.open(tmp_path / "echoer.db")


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=rf"cannot open {tmp_path}/file/echoer.db: {tmp_path}/file: File exists"):
        Database.open(tmp_path / "file" / "echoer.db")


# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("begin", "end"), [(0, 0.3), (0.3, 0.6), (0.6, 1)], ids=["the beginning", "the middle", "the end"]
)
@pytest.mark.parametrize("crash", [False, True], ids=["closed", "killed"])
def test_a_damaged_file_is_found_at_the_start(tmp_path: Path, begin: float, end: float, crash: bool) -> None:
    """The message says what to do, and nothing is changed."""
    path = tmp_path / "echoer.db"
    closed(path)
    if crash:
        killed(path, 1)
        assert log_of(path).stat().st_size
    overwrite(path, begin, end)
    before = contents(tmp_path)
    with pytest.raises(ServiceError, match=r"The file is damaged; nothing was changed.*backup.*\.recover") as refused:
        Database.open(path)
    after_refusal = contents(tmp_path)
    after_refusal.pop("echoer.db-shm", None)
    before.pop("echoer.db-shm", None)  # an index that SQLite makes of the log
    assert after_refusal == before
    assert str(refused.value).startswith(f"cannot open {path}: ")
    assert not isinstance(refused.value, Busy)


def test_a_shortened_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "echoer.db"
    closed(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ServiceError, match="The file is damaged"):
        Database.open(path)


def test_a_large_file_is_checked_after_a_crash_alone(tmp_path: Path) -> None:
    """A hole makes the file large; a page that no table uses is damage."""
    path = tmp_path / "echoer.db"
    closed(path)
    with path.open("r+b") as file:
        file.seek(ALWAYS_CHECKED_BYTES + 4_096)
        file.write(b"\0")
        file.truncate((ALWAYS_CHECKED_BYTES // 4_096 + 2) * 4_096)
        file.seek(28)  # the number of pages (SQLite, "Database File Format", 1.3)
        file.write((ALWAYS_CHECKED_BYTES // 4_096 + 2).to_bytes(4, "big"))
    Database.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
    killed(path, 0)
    assert log_of(path).stat().st_size == 0
    log_of(path).write_bytes(b"\0" * 100)
    with pytest.raises(ServiceError, match="The file is damaged"):
        Database.open(path)


def test_a_log_without_its_file_is_kept(tmp_path: Path) -> None:
    """SQLite would delete it, with the commits in it."""
    path = tmp_path / "echoer.db"
    killed(path)
    moved = path.rename(tmp_path / "moved.db")
    for is_there in (False, True):
        if is_there:
            path.touch()
        before = contents(tmp_path)
        with pytest.raises(ServiceError, match=r"its write-ahead log echoer.db-wal is there"):
            Database.open(path)
        assert contents(tmp_path) == before
    moved.rename(path)
    database = Database.open(path)
    assert SqliteStore(database).runs.load("ns", "killed0") == a_run(name="killed0")
    database.close()


# ── disks that take nothing ──────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_takes_nothing_is_noticed_and_recovered_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed stays, what fails is Busy, and the file is usable as soon as it can be written."""
    database = Database.open(tmp_path / "echoer.db")
    runs = SqliteStore(database).runs
    runs.create(new(a_run()))
    with no_more_than(log_of(tmp_path / "echoer.db").stat().st_size):
        with pytest.raises(Busy, match=r"^nothing can be stored: the disk reports an error, or a limit on the size"):
            database.check()
        with pytest.raises(Busy, match=r"^the store is unavailable; try again later$"):
            runs.save(after(a_run()), seen=1)
        assert runs.load("ns", "r1") == a_run()
    assert "disk I/O error" in caplog.text
    database.check()
    runs.save(after(a_run()), seen=1)
    database.close()
    database = Database.open(tmp_path / "echoer.db")
    assert SqliteStore(database).runs.load("ns", "r1") == after(a_run())
    database.close()


def test_messages_that_failed_on_a_full_disk_come_back_as_soon_as_it_takes_them(tmp_path: Path) -> None:
    """Not after their visibility timeout: the run that waits for them goes on."""
    database, clock = Database.open(tmp_path / "echoer.db"), FakeClock()
    queue = SqliteQueue(database, clock, visibility=180_000)
    queue.send(QueueName.WAKES, ["a", "b", "c"])
    received = queue.receive(QueueName.WAKES, 10, 0)
    with no_more_than(log_of(tmp_path / "echoer.db").stat().st_size):
        for message in received[:2]:
            queue.defer(QueueName.WAKES, message.receipt, 1_000)
        clock.advance(500)
        assert queue.receive(QueueName.WAKES, 10, 0) == []
    assert queue.receive(QueueName.WAKES, 10, 0) == []
    clock.advance(500)
    again = queue.receive(QueueName.WAKES, 10, 0)
    assert [(one.body, one.count) for one in again] == [("a", 2), ("b", 2)]
    clock.advance(500)
    assert queue.receive(QueueName.WAKES, 10, 0) == []
    database.close()


def test_failures_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk has every message fail again and again. The number of those that are not logged is."""
    now = [0.0]
    errors = ErrorTranslator(lambda: now[0])
    for second in (0, 1, 2, 10, 11):
        now[0] = float(second)
        with pytest.raises(Busy, match=r"^the store is unavailable; try again later$"), errors:
            raise sqlite3.OperationalError("database or disk is full")
    assert [record.getMessage() for record in caplog.records] == [
        "SQLite failed: the store fails",
        "SQLite failed: the store fails; 2 more failures since the last one that was logged",
    ]
    assert caplog.text.count("OperationalError: database or disk is full") == 2


def test_a_file_that_was_moved_away_is_noticed(tmp_path: Path) -> None:
    """What is written to it would be lost."""
    path = tmp_path / "echoer.db"
    database = Database.open(path)
    for there in (False, True):
        path.rename(tmp_path / "moved.db")
        if there:
            path.touch()
        with pytest.raises(Busy, match="moved, replaced or deleted"):
            database.check()
        (tmp_path / "moved.db").rename(path)
    database.check()
    database.close()


def test_a_check_counts_for_a_second(tmp_path: Path) -> None:
    """So that callers of `/healthz` do not wear out the disk. A store in memory needs none."""
    database = Database.open(tmp_path / "echoer.db")
    database.check()
    size = log_of(tmp_path / "echoer.db").stat().st_size
    for _ in range(100):
        database.check()
    assert log_of(tmp_path / "echoer.db").stat().st_size <= size + 2 * 4_120
    database.close()
    Database.open(MEMORY).check()
