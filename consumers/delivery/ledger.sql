-- The ledger: every notification that was ever planned, and where it stands. A projection of the log.
-- `due` is when a sender may take it (microseconds), null means that nobody takes it any more. What waits behind a newer
-- update for the same endpoint is due at the end of time (2^53 - 1). `turn` orders what was never tried (null: it was, and its `due` does).
-- `held_until` is up to when it was put off before anything was tried (0: never).

create table if not exists notices (
    update_id text primary key,
    page      text not null,
    subject   text not null,
    kind      text not null,
    at        integer not null,
    notice    blob not null
) strict, without rowid;

create table if not exists updates (
    subject   text not null,
    update_id text not null,
    primary key (subject, update_id)
) strict, without rowid;

create table if not exists ledger (
    seq          integer primary key,
    notification text not null,
    page         text not null,
    subject      text not null,
    update_id    text not null,
    subscriber   text not null,
    channel      text not null,
    shard        integer not null,
    state        text not null,
    reason       text not null,
    worker       text not null,
    attempts     integer not null,
    at           integer not null,
    due          integer,
    turn         integer,
    held_until   integer not null default 0
) strict;

create unique index if not exists ledger_by_notification on ledger (notification);
create index if not exists ledger_by_subject on ledger (subject, subscriber, seq);
create index if not exists ledger_fresh on ledger (channel, turn, seq) where due is not null and turn is not null;
create index if not exists ledger_queue on ledger (channel, due, seq) where due is not null and turn is null;
create index if not exists ledger_claimed on ledger (channel, seq) where state = 'claimed';
create index if not exists ledger_held on ledger (subscriber, due) where held_until > 0 and due is not null;
create index if not exists notices_lately on notices (page, at);
create index if not exists ledger_failed on ledger (page, seq) where state = 'failed';
create index if not exists ledger_in_doubt on ledger (page, seq) where state = 'in_doubt';
