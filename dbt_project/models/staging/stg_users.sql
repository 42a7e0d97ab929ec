with

source as (

    select * from {{ ref('users') }}

),

renamed as (

    select

        ----------  ids
        record_number,
        {{ text_to_bigint('user_id') }} as user_id,

        ----------  text
        name,
        email,
        _fields_missing as fields_missing,

        ----------  dates
        {{ text_to_date('signup_date') }} as signup_date,

        ----------  booleans
        signup_date is not null as has_signup_date

    from source

)

select * from renamed
