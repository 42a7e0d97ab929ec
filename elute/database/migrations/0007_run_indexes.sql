-- Runs are never deleted; who waits for one looks again and again for what goes on, and for what makes up
-- for it.
create index runs_going_on on elute.runs (run_id) where state in ('queued', 'running');
create index runs_retry_of on elute.runs (retry_of) where retry_of is not null;
