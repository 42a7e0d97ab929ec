-- When the schedule was last served: also by finding that there was nothing to build, which is no run.
create table elute.schedule (
    is_only boolean primary key default true check (is_only),
    served_at timestamptz not null
);

-- After which message each receiver is set: a clock may be set back, numbers only rise.
alter table elute.receivers add column told_after bigint;
update elute.receivers
set told_after = coalesce(
    (select max(message_number) from elute.messages where created_at < known_since), 0
);
alter table elute.receivers alter column told_after set not null, drop column known_since;
