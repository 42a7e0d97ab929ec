-- Whenever a run ends, its last forerunners are looked for; runs are never deleted.
create index runs_ended on elute.runs (finished_at desc, run_id desc)
where state in ('succeeded', 'failed', 'crashed');
