{#- The settings that decide what comes of the files; noted with each build, and in what is compiled with them. -#}
{% macro build_options() -%}
    {{ return({
        'max_dropped_ratio': max_dropped_ratio(),
        'max_nulled_ratio': max_nulled_ratio(),
        'date_format': date_format(),
        'run_time_unit': env_var('ELUTE_RUN_TIME_UNIT', ''),
        'csv_encoding': env_var('ELUTE_CSV_ENCODING', '') or 'utf-8',
    }) }}
{%- endmacro %}
