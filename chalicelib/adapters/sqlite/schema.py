"""The tables of the SQLite file."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
CREATE TABLE definitions (namespace TEXT, kind TEXT, name TEXT, version INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, kind, name, version)) WITHOUT ROWID;
CREATE TABLE names (namespace TEXT, kind TEXT, name TEXT, version INTEGER NOT NULL, deleted INTEGER NOT NULL,
    PRIMARY KEY (namespace, kind, name)) WITHOUT ROWID;

CREATE TABLE runs (namespace TEXT, name TEXT, id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    status_at INTEGER NOT NULL, flow TEXT NOT NULL, created_at INTEGER NOT NULL, timer_at INTEGER, body BLOB NOT NULL,
    undo_failed INTEGER, error TEXT, parent TEXT, flow_version INTEGER, PRIMARY KEY (namespace, name));
CREATE INDEX runs_listed ON runs (namespace, created_at, name);
CREATE INDEX runs_by_status ON runs (namespace, status, created_at, name);
CREATE INDEX runs_by_flow ON runs (namespace, flow, status, created_at, name);
CREATE INDEX runs_by_error ON runs (namespace, error, created_at, name) WHERE error IS NOT NULL;
CREATE INDEX runs_by_parent ON runs (namespace, parent, created_at, name) WHERE parent IS NOT NULL;
CREATE INDEX runs_due ON runs (namespace, timer_at, name) WHERE timer_at IS NOT NULL;
CREATE INDEX runs_changed ON runs (namespace, status_at, name);
CREATE INDEX runs_timers ON runs (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX runs_undo_failed ON runs (namespace, created_at, name) WHERE undo_failed IS NOT NULL;
CREATE TABLE labels (namespace TEXT, label TEXT, value TEXT, created_at INTEGER, name TEXT,
    PRIMARY KEY (namespace, label, value, created_at, name)) WITHOUT ROWID;
CREATE TABLE own_flows (namespace TEXT, run TEXT, body BLOB NOT NULL, PRIMARY KEY (namespace, run)) WITHOUT ROWID;
CREATE TABLE pages (namespace TEXT, run TEXT, last INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, run, last)) WITHOUT ROWID;
CREATE TABLE blobs (namespace TEXT, run TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (namespace, run, key));

CREATE TABLE keys (namespace TEXT, key TEXT, value TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE INDEX keys_expiry ON keys (expires_at);
CREATE TABLE versioned_values (namespace TEXT, key TEXT, value BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE TABLE signals (namespace TEXT, at INTEGER, id TEXT, name TEXT NOT NULL, key TEXT NOT NULL, run TEXT NOT NULL,
    expires_at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (namespace, at, id));
CREATE INDEX signals_kept ON signals (namespace, name, key, run, at, id);
CREATE INDEX signals_expiry ON signals (expires_at);
CREATE TABLE subscriptions (namespace TEXT, name TEXT, key TEXT, run TEXT, uuid TEXT, until INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, key, run, uuid)) WITHOUT ROWID;
CREATE INDEX subscriptions_expiry ON subscriptions (until);
CREATE TABLE tasks (namespace TEXT, since INTEGER, uuid TEXT, run TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (namespace, since, uuid)) WITHOUT ROWID;
CREATE INDEX tasks_expiry ON tasks (until);
CREATE TABLE schedules (namespace TEXT, name TEXT, version INTEGER NOT NULL, wake_at INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, name)) WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE waiters (namespace TEXT, queue TEXT, at INTEGER, place INTEGER, uuid TEXT, body BLOB NOT NULL,
    PRIMARY KEY (namespace, queue, at, place, uuid)) WITHOUT ROWID;
CREATE TABLE deliveries (namespace TEXT, run TEXT, uuid TEXT, at INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (namespace, run, uuid, at)) WITHOUT ROWID;
CREATE TABLE batches (namespace TEXT, id TEXT, version INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (namespace, id)) WITHOUT ROWID;
CREATE INDEX batches_expiry ON batches (expires_at);
CREATE TABLE batch_chunks (namespace TEXT, batch TEXT, kind TEXT, number INTEGER, expires_at INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (namespace, batch, kind, number));
CREATE INDEX batch_chunks_expiry ON batch_chunks (expires_at);

CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible_at INTEGER NOT NULL,
    count INTEGER NOT NULL, sent_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX messages_due ON messages (queue, visible_at);
"""
