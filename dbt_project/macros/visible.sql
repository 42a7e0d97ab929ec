{#- A text with each character that nobody sees as its number: <U+200B>. A plain space stays. -#}
{% macro visible(text) -%}
    {{ return(adapter.dispatch('visible')(text)) }}
{%- endmacro %}

{% macro postgres__visible(text) -%}
    case
            when {{ text }} ~ E'{{ invisible_characters() }}'
                then (
                    select
                        string_agg(
                            case
                                when letters.letter ~ E'{{ invisible_characters() }}'
                                    then '<U+' || lpad(upper(to_hex(ascii(letters.letter))), 4, '0') || '>'
                                else letters.letter
                            end,
                            '' order by letters.place
                        )
                    from string_to_table({{ text }}, null) with ordinality as letters (letter, place)
                )
            else {{ text }}
        end
{%- endmacro %}

{% macro spark__visible(text) -%}
    case
            when {{ text }} rlike '{{ invisible_characters() }}'
                then array_join(
                    transform(
                        split({{ text }}, ''),
                        letter -> case
                            when letter rlike '{{ invisible_characters() }}'
                                then concat('<U+', lpad(hex(ascii(letter)), 4, '0'), '>')
                            else letter
                        end
                    ),
                    ''
                )
            else {{ text }}
        end
{%- endmacro %}

{#- Controls, white space other than the space itself, and what has no width. -#}
{% macro invisible_characters() -%}
    [\u0001-\u001f\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u2069\u3000\ufeff]
{%- endmacro %}
