{#- A text without what is trimmed off a field: white space, and characters of no width. -#}
{% macro trimmed(text) -%}
    {{ return(adapter.dispatch('trimmed')(text)) }}
{%- endmacro %}

{% macro postgres__trimmed(text) -%}
    btrim(
            {{ text }},
            E{{ trimmed_characters() }}
        )
{%- endmacro %}

{% macro spark__trimmed(text) -%}
    btrim(
            {{ text }},
            {{ trimmed_characters() }}
        )
{%- endmacro %}

{% macro trimmed_characters() -%}
    ' \t\n\u000b\u000c\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008'
            '\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e'
            '\u202f\u205f\u2060\u2061\u2062\u2063\u2064\u3000\ufeff'
{%- endmacro %}
