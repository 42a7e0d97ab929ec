{#- dbt's own replaces a table by a view of itself if the state is of the same schema. -#}
{% materialization clone, adapter='pgcopy' %}
  {%- if defer_relation and this.render() == defer_relation.render() and load_cached_relation(this) -%}
    {%- do log('Target relation and defer relation are the same, skipping clone for relation: ' ~ this) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}
  {{ return(dbt.materialization_clone_default()) }}
{% endmaterialization %}
