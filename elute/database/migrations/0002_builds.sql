-- What was published when stands in builds.publications, which dbt writes.
drop function elute.record_publications();
drop table elute.publications;
