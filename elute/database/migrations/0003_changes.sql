-- What was changed over HTTP, when, and by whom.
create table elute.changes (
    change_number bigint generated always as identity primary key,
    changed_at timestamptz not null default clock_timestamp(),
    who text,
    asked_from text not null,
    action text not null,
    subject text not null
);

comment on column elute.changes.who is 'The name of the token; null if it has none.';
comment on column elute.changes.asked_from is 'The address that the request came from, and the program.';

-- Lines are added, and that is all.
create function elute.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'elute.changes keeps what it has: nothing in it is changed or deleted.';
end
$$;

create trigger keep before update or delete or truncate on elute.changes
for each statement execute function elute.refuse_change();
