with

source as (

    select * from {{ ref('compounds') }}

),

renamed as (

    select

        ----------  ids
        record_number,
        {{ text_to_bigint('compound_id') }} as compound_id,

        ----------  text
        compound_name,
        compound_structure,
        _fields_missing as fields_missing

    from source

)

select * from renamed
