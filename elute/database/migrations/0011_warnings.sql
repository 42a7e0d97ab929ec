-- A check of `severity: warn` that finds something keeps nothing from being published.
alter table elute.runs add column warnings text[] not null default '{}';

comment on column elute.runs.warnings is 'The names of the nodes that ended with status warn, in that order.';
