-- Since when each receiver is set: it is not told of what happened before.
create table elute.receivers (
    receiver text primary key,
    known_since timestamptz not null default clock_timestamp()
);

insert into elute.receivers (receiver, known_since)
select receiver, min(created_at)
from elute.deliveries
inner join elute.messages using (message_number)
group by receiver;

-- A return to an earlier build is told too, and is no run.
alter table elute.messages alter column run_id drop not null;
