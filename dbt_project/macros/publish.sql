{#- Shows readers what the run has built, all of it or none. -#}
{% macro publish(results) -%}
    {%- if execute -%}
        {%- set run_id = env_var('ELUTE_RUN_ID', '') -%}
        {{ return(publish_build(
            results,
            options=build_options(),
            column_meta=column_units(),
            versions=fromjson(env_var('ELUTE_VERSIONS', '{}')),
            returns=fromjson(env_var('ELUTE_RETURN', '{}')),
            run_id=run_id | int if run_id else none,
            wait_seconds=(env_var('ELUTE_PUBLISH_WAIT_SECONDS', '') or 60) | int,
            keep=(env_var('ELUTE_KEEP_BUILDS', '') or 10) | int,
            keep_files_mb=(env_var('ELUTE_KEEP_FILES_MB', '') or 2000) | int,
        )) }}
    {%- endif -%}
{%- endmacro %}
