{#-
  Says what the failed audits found. An audit of ours returns its findings in a column `message`;
  dbt itself prints only how many there were. Each is logged behind the name of its audit.
-#}
{% macro explain_failed_audits(results) %}
    {%- if execute -%}
        {%- for result in results if result.status == 'fail' and result.node.resource_type == 'test' -%}
            {%- set findings = run_query('select * from (\n' ~ result.node.compiled_code ~ '\n) as audit limit 5') -%}
            {%- if 'message' in findings.column_names -%}
                {%- for row in findings.rows -%}
                    {%- do log(result.node.name ~ ': ' ~ row['message'], info=true) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
