from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from pynamodb.exceptions import PutError, VerboseClientError

from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.adapters.dynamodb.items import translated
from chalicelib.adapters.dynamodb.store import DynamoStore
from chalicelib.engine.lifecycle import Status
from chalicelib.engine.run import Entry, Run, encode, mint_uuid, turn_page
from chalicelib.service.errors import Busy, Conflict, RunExists, ServiceError, TooLarge
from chalicelib.service.ports import Kind, RunQuery
from tests.adapters.samples import AWKWARD_NAMES, a_definition, a_page, a_run, after, flow, new
from tests.adapters.store_contract import StoreContract
from tests.fakes import START, Counting, Operation, size_of_item


class TestDynamoStore(StoreContract):
    @pytest.fixture
    def store(self, dynamo: DynamoStore) -> DynamoStore:
        return dynamo


class TestWhatItCosts:
    """HOUSE.md 6, counted."""

    def test_loading_a_run_is_one_consistent_read(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.load("ns", "r1")
        assert counted.operations == [Operation("GetItem", consistent=True)]

    def test_saving_a_run_is_one_conditional_write_of_one_unit(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.save(after(a_run()), seen=1)
        (operation,) = counted.operations
        assert (operation.name, operation.conditional, operation.write_units) == ("PutItem", True, 1)

    def test_creating_a_plain_run_is_one_write(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.create(new(a_run()))
        assert counted.names == {"PutItem": 1}
        assert counted.write_units == 1

    def test_submitting_one_thing_takes_no_transaction(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.definitions.submit("ns", [a_definition()], [])
            dynamo.definitions.submit("ns", [], [new(a_run())])
        assert counted.names == {"PutItem": 2}

    def test_submitting_several_things_is_one_transaction(self, dynamo: DynamoStore) -> None:
        with Counting(dynamo.table.client) as counted:
            dynamo.definitions.submit("ns", [a_definition("a"), a_definition("b")], [new(a_run())])
        assert counted.names == {"TransactWriteItems": 1}

    def test_a_list_reads_heads_in_batches_and_never_scans(self, dynamo: DynamoStore) -> None:
        for number in range(20):
            dynamo.runs.create(new(a_run(f"r{number}", status=Status.FAILED)))
        with Counting(dynamo.table.client) as counted:
            dynamo.runs.list("ns", RunQuery(statuses=frozenset({Status.FAILED}), limit=10))
        assert counted.names == {"Query": keys.SHARDS, "BatchGetItem": 1}

    def test_a_head_leaves_half_of_a_kilobyte_to_its_tail_however_long_the_run(self, dynamo: DynamoStore) -> None:
        """What the tail makes of it is the engine's: with TAIL_BYTES and one more entry it should stay below."""
        run = a_run("a-plain-run-2026-11-20", "a-namespace", id=mint_uuid("r", "s", "n", 0))
        dynamo.runs.create(new(run))
        sizes = []
        for number in range(2, 60):
            was, run = run, _moved(run, number)
            run, page = turn_page(was, run)
            if page:
                dynamo.runs.put_page(run, page)
            with Counting(dynamo.table.client) as counted:
                dynamo.runs.save(run, seen=was.version)
            sizes.append(counted.operations[0].bytes_written - len(msgspec.json.encode(run.tail)))
        assert max(sizes) <= 512
        seqs = [entry.seq for page in dynamo.runs.pages(run, 0) for entry in page.entries]
        assert seqs + [entry.seq for entry in run.tail] == list(range(1, 60))

    def test_index_keys_change_only_with_the_class_of_the_status(self, dynamo: DynamoStore) -> None:
        def index_keys(run: Run) -> tuple[str | None, ...]:
            item = dynamo.runs.head_of(run)
            return item.lp, item.fp, item.c

        begun = index_keys(a_run(status=Status.PENDING))
        assert index_keys(after(a_run(), updated_at=START + 5, alarm_at=START + 9)) == begun
        assert index_keys(a_run(status=Status.COMPENSATING)) == begun
        assert len({index_keys(a_run(status=status)) for status in Status}) == len(keys.StatusClass)


def _moved(run: Run, number: int) -> Run:
    """One transition further, as an acknowledged step of a plain flow makes it."""
    token = run.tokens[0]
    assert token.activation
    uuid = mint_uuid(run.id, "build", str(number), 1)
    at = START + number * 1000
    activation = msgspec.structs.replace(token.activation, uuid=uuid, since=at, deadline=at + 86_400_000)
    entry = Entry(
        seq=number, at=at, event="acked", step="build", target="test", state="SUCCESS", uuid=token.activation.uuid
    )
    return after(
        run,
        updated_at=at,
        tokens=(msgspec.structs.replace(token, activation=activation, state="SUCCESS"),),
        last_state="SUCCESS",
        last_event="acked",
        tail=(*run.tail, entry),
    )


class TestSubmit:
    def test_more_than_one_transaction_takes_is_too_large(self, dynamo: DynamoStore) -> None:
        many = [a_definition(f"f{number}") for number in range(100)]
        dynamo.definitions.submit("ns", many, [])
        with pytest.raises(TooLarge, match="100"):
            dynamo.definitions.submit("other", many, [new(a_run())])
        assert dynamo.definitions.latest("other", Kind.FLOW, ["f1"]) == {}

    def test_what_lay_beside_a_refused_run_is_taken_back(self, dynamo: DynamoStore) -> None:
        dynamo.runs.create(new(a_run()))
        rival = a_run(id="rival", at=START + 1, labels={"team": "x"})
        with pytest.raises(RunExists):
            dynamo.runs.create(new(rival, flow("mine")))
        with pytest.raises(RunExists):
            dynamo.definitions.submit("ns", [a_definition()], [new(rival, flow("mine"))])
        assert [item.k for item in dynamo.table.item.scan()] == [keys.head("ns", "r1")[0]]

    def test_a_refused_copy_takes_nothing_from_the_run_that_is_there(self, dynamo: DynamoStore) -> None:
        mine = new(a_run(labels={"team": "x"}), flow("mine"))
        dynamo.runs.create(mine)
        with pytest.raises(RunExists):
            dynamo.runs.create(mine)
        assert dynamo.runs.own_flow(mine.run) == flow("mine")
        assert [run.name for run in dynamo.runs.list("ns", RunQuery(label=("team", "x"))).runs] == ["r1"]

    def test_deleting_a_run_leaves_no_item(self, dynamo: DynamoStore) -> None:
        run = a_run(labels={"team": "x", "n": 1})
        dynamo.runs.create(new(run, flow("mine")))
        for number in range(60):
            dynamo.runs.put_page(run, a_page(number + 1, number + 1))
        dynamo.runs.delete(run)
        assert list(dynamo.table.item.scan()) == []


class TestLists:
    def test_a_list_ends_its_round_with_a_cursor_where_little_matches(self, dynamo: DynamoStore) -> None:
        """Statuses within a class are told apart on the heads: a page may hold few, but its cursor leads on."""
        for number in range(30):
            status = Status.PENDING if number == 0 else Status.RUNNING
            dynamo.runs.create(new(a_run(f"r{number}", at=START + number, status=status)))
        query, rounds, found = RunQuery(statuses=frozenset({Status.PENDING}), limit=1), 0, []
        while True:
            listing = dynamo.runs.list("ns", query)
            found += [run.name for run in listing.runs]
            rounds += 1
            if listing.cursor is None:
                break
            query = RunQuery(statuses=query.statuses, limit=1, cursor=listing.cursor)
        assert (found, rounds) == (["r0"], 2)

    def test_an_index_that_lags_behind_gives_neither_doubles_nor_ghosts(self, dynamo: DynamoStore) -> None:
        run = a_run()
        dynamo.runs.create(new(run))
        ghost, late = (dynamo.runs.head_of(run) for _ in range(2))
        ghost.k, ghost.b = "G1", None
        ghost.c = keys.place(START, "never was")
        late.k = "G2"
        late.lp = keys.listed("ns", keys.StatusClass.FAILED, 0)
        dynamo.table.put(ghost)
        dynamo.table.put(late)
        assert [run.name for run in dynamo.runs.list("ns", RunQuery()).runs] == ["r1"]
        assert dynamo.runs.list("ns", RunQuery(statuses=frozenset({Status.FAILED}))).runs == ()


class TestKeys:
    def test_keys_of_different_things_are_different(self) -> None:
        words = [*AWKWARD_NAMES, "%~", "x" * 300, "a#" * 200]
        made = [
            key
            for one in words
            for other in words
            for key in (
                keys.head(one, other),
                keys.own_flow(one, other),
                keys.page(one, other, 1),
                (keys.label("ns", one, other), ""),
                (keys.label(one, other, ""), ""),
                keys.newest(one, Kind.FLOW, other),
                keys.newest(one, Kind.ACTION, other),
                keys.archived(one, Kind.FLOW, other, 1),
                keys.idempotency(one, other),
                keys.signal(one, 1, other),
            )
        ]
        assert len(set(made)) == len(made)

    def test_a_heads_key_tells_its_run(self) -> None:
        for namespace in AWKWARD_NAMES:
            for name in AWKWARD_NAMES:
                assert keys.of_head(keys.head(namespace, name)[0]) == (namespace, name)
                assert keys.of_place(keys.place(START, name)) == (START, name)

    def test_places_sort_by_moment_and_then_by_name(self) -> None:
        places = [(9, "z"), (10, ""), (10, "#"), (10, "a"), (START, "a")]
        assert sorted(keys.place(*place) for place in places) == [keys.place(*place) for place in places]

    def test_every_status_has_a_class(self) -> None:
        assert set(keys.CLASS_OF) == set(Status)

    def test_shards_are_all_used(self) -> None:
        assert {keys.shard("ns", f"r{number}") for number in range(50)} == set(range(keys.SHARDS))


class TestTable:
    def test_the_deployed_table_is_the_one_that_was_tested(self, dynamo: DynamoStore) -> None:
        (resource,) = tables.as_cloudformation("echoer").values()
        properties = resource["Properties"]
        found = dynamo.table.client.describe_table(TableName="echoer")["Table"]
        assert found["KeySchema"] == properties["KeySchema"]
        for index, planned in zip(found["GlobalSecondaryIndexes"], properties["GlobalSecondaryIndexes"], strict=True):
            assert {name: index[name] for name in planned} == planned
        assert properties["TimeToLiveSpecification"]["AttributeName"] == tables.EXPIRY

    def test_the_models_keys_are_the_tables(self, dynamo: DynamoStore) -> None:
        schema = dynamo.table.connection.describe_table("echoer")
        dynamo.runs.create(new(a_run()))
        model: Any = dynamo.table.item._get_connection().get_meta_table()
        for index in tables.INDEXES:
            assert model.get_index_hash_keyname(index.name) == index.hash
            assert model.get_index_range_keyname(index.name) == index.range
        assert schema["KeySchema"][0]["AttributeName"] == model.hash_keyname == tables.HASH

    def test_keys_expire_after_their_time_and_not_before(self, dynamo: DynamoStore) -> None:
        dynamo.keys.claim("ns", "k", "v", START + 1, 1_000)
        (item,) = dynamo.table.item.scan()
        assert item.x * 1000 >= START + 1_001


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "message", "error"),
        [
            ("ThrottlingException", "", Busy),
            ("ProvisionedThroughputExceededException", "", Busy),
            ("TransactionInProgressException", "", Busy),
            ("InternalServerError", "", Busy),
            ("ValidationException", "Item size has exceeded the maximum allowed size", TooLarge),
            ("ValidationException", "One or more parameter values were invalid", ServiceError),
            ("ResourceNotFoundException", "", ServiceError),
            ("ConditionalCheckFailedException", "", Conflict),
        ],
    )
    def test_dynamodbs_errors_are_told_in_our_words(self, code: str, message: str, error: type[ServiceError]) -> None:
        response: Any = {"Error": {"Code": code, "Message": message}}
        with pytest.raises(ServiceError) as caught, translated(refused=Conflict()):
            raise PutError("no", VerboseClientError(response, "PutItem"))
        assert type(caught.value) is error
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize("kind", [ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError])
    def test_no_answer_is_busy(self, kind: Callable[..., Exception]) -> None:
        cause = kind(endpoint_url="x", error="y")
        with pytest.raises(Busy), translated(refused=Conflict()):
            raise PutError("no", cause)
        with pytest.raises(Busy), translated():
            raise cause

    def test_a_head_beyond_dynamodbs_limit_is_too_large(self, dynamo: DynamoStore) -> None:
        with pytest.raises(TooLarge, match="400 KB"):
            dynamo.runs.create(new(a_run(vars={"text": "x" * 500_000})))

    def test_a_table_that_is_not_there_is_no_matter_of_patience(self, dynamo: DynamoStore) -> None:
        dynamo.table.client.delete_table(TableName="echoer")
        with pytest.raises(ServiceError, match="ResourceNotFound") as caught:
            dynamo.runs.load("ns", "r1")
        assert type(caught.value) is ServiceError
        dynamo.table.client.create_table(TableName="echoer", **tables._schema())


def test_sizes_are_counted_as_aws_counts_them() -> None:
    assert size_of_item({"k": {"S": "ä"}, "v": {"N": "123"}, "b": {"B": b"1234"}, "t": {"BOOL": True}}) == 3 + 4 + 5 + 2
    assert len(encode(a_run())) < 1024
