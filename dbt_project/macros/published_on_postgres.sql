{#- How a model is materialized that explains nothing by itself, but that published views read, or
    that reads them. From a Spark cluster tables are copied out in the place of these views, so
    that it need not outlive its build there. -#}
{% macro published_on_postgres() %}
    {{- return(adapter.dispatch('published_on_postgres')()) -}}
{% endmacro %}

{% macro postgres__published_on_postgres() %}
    {{- return('published') -}}
{% endmacro %}

{% macro spark__published_on_postgres() %}
    {{- return('table') -}}
{% endmacro %}
