{#-
  Says what the failed audits found. An audit of ours returns its findings in a column `message`;
  dbt itself prints only how many there were.
-#}
{% macro explain_failed_audits(results) %}
    {%- if execute -%}
        {%- for result in results if result.status == 'fail' and result.node.resource_type == 'test' -%}
            {%- set findings = run_query(result.node.compiled_code ~ '\nlimit 5') -%}
            {%- if 'message' in findings.column_names -%}
                {%- for row in findings.rows -%}
                    {%- do log(row['message'], info=true) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
