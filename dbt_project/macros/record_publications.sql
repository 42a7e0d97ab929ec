{#-
  Lets Elute's service know which tables have just been published, where it is in use: it dates its
  answers by them. Never fails a build.
-#}
{% macro record_publications() -%}
    {{ return(adapter.dispatch('record_publications')()) }}
{%- endmacro %}

{% macro default__record_publications() -%}
{%- endmacro %}

{% macro postgres__record_publications() -%}
    do $$
    begin
        if to_regproc('elute.record_publications') is not null then
            perform elute.record_publications();
        end if;
    exception
        when others then raise warning 'The publication is not noted: %', sqlerrm;
    end
    $$
{%- endmacro %}
