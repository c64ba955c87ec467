-- The embedded engine's one file: the log, the positions of its readers, and (in their own tables) projections.
-- `place` is topic number * 4096 + partition; `seq` is both the append order of the whole log and the offset.

create table if not exists topics (
    number integer primary key,
    name   text not null unique,
    partitions integer not null
) strict;

create table if not exists log (
    seq         integer primary key,
    place       integer not null,
    key         text not null,
    id          text not null,
    type        text not null,
    recorded_at integer not null,
    fingerprint blob not null,
    body        blob not null,
    chain       blob not null
) strict;

-- No index follows the appends: each would dirty one random page of the file for every record.
-- What was appended last in each place; ids up to a mark by hash (streams.log.ids has the others).
create table if not exists heads (
    place integer primary key,
    seq   integer not null
) strict;

create table if not exists ids (
    hash integer not null,
    seq  integer not null,
    primary key (hash, seq)
) strict, without rowid;

create table if not exists indexed (
    only integer primary key check (only = 1),
    upto integer not null
) strict;
insert or ignore into indexed (only, upto) values (1, 0);

create table if not exists positions (
    "group"  text not null,
    place    integer not null,
    position integer not null,
    primary key ("group", place)
) strict, without rowid;

create table if not exists state (
    stage text not null,
    tbl   text not null,
    page  text not null,
    key   text not null,
    value blob not null,
    primary key (stage, tbl, page, key)
) strict, without rowid;

create table if not exists timers (
    stage text not null,
    page  text not null,
    timer text not null,
    due   integer not null,
    primary key (stage, page, timer)
) strict, without rowid;

create index if not exists timers_by_due on timers (due);
